"""Uploads a file, by whose digest a session may name it, and prints the digest: python upload.py play.png"""
import asyncio, base64, hashlib, json, os, sys, uuid
import nats

async def main():
    data, upload = open(sys.argv[1], "rb").read(), uuid.uuid4().hex
    digest, parts = hashlib.sha256(data), [data[i:i + 131072] for i in range(0, len(data), 131072)]
    encoded = lambda text: base64.urlsafe_b64encode(text).decode()
    bus = await nats.connect(os.environ["NATS_URL"])
    for part in parts:
        await bus.jetstream().publish(f"$O.FLYWHEEL_BLOBS.C.{upload}", part)
    entry = {"name": digest.hexdigest(), "bucket": "FLYWHEEL_BLOBS", "nuid": upload, "size": len(data),
             "chunks": len(parts), "digest": "SHA-256=" + encoded(digest.digest())}
    await bus.jetstream().publish(f"$O.FLYWHEEL_BLOBS.M.{encoded(entry['name'].encode())}", json.dumps(entry).encode())
    print(entry["name"])
    await bus.drain()

asyncio.run(main())
