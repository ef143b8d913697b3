"""Fetches the figures of a process and prints them as JSON, read by Prometheus's own client: name, labels, value."""

import json
import sys
import urllib.request

from prometheus_client.parser import text_string_to_metric_families

text = urllib.request.urlopen(sys.argv[1], timeout=10).read().decode()
families = text_string_to_metric_families(text)
print(json.dumps([[sample.name, sample.labels, sample.value] for family in families for sample in family.samples]))
