//! Lengths of time in buckets: exact counts, bounded in number, so that a quantile never needs the single values.
//!
//! Below 128 µs a bucket is one microsecond wide, above that 1/64 of its lower end at most. A quantile is given as the lower end
//! of its bucket, so it is exact below 128 µs, and too low by
//! less than 1.6 % above.

const BITS: u32 = 6;

/// The bucket of a length in microseconds.
pub(super) fn bucket(micros: u64) -> u32 {
    let shift = micros.checked_ilog2().unwrap_or(0).saturating_sub(BITS);
    // At most 57 × 64 + 127.
    (shift << BITS) + u32::try_from(micros >> shift).expect("seven bits are left")
}

/// The shortest length in a bucket, in microseconds.
pub(super) fn lower_end(bucket: u32) -> u64 {
    let shift = (bucket >> BITS).saturating_sub(1);
    u64::from(bucket - (shift << BITS)).checked_shl(shift).unwrap_or(u64::MAX)
}

/// The quantile of so many percent by the nearest rank: the shortest length that so many percent do not exceed.
/// `buckets` are in order, each with how many fell into it. Nothing where nothing was counted.
pub(super) fn quantile(buckets: &[(u32, u64)], percent: u64) -> Option<u64> {
    let total: u64 = buckets.iter().map(|(_, n)| n).sum();
    let rank = total.saturating_mul(percent).div_ceil(100).max(1);
    let mut seen = 0;
    buckets.iter().find_map(|(bucket, n)| {
        seen += n;
        (seen >= rank).then(|| lower_end(*bucket))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn quantiles_by_hand() {
        let of = |lengths: &[u64]| -> Vec<(u32, u64)> {
            let mut buckets: Vec<_> = lengths.iter().map(|length| (bucket(*length), 1)).collect();
            buckets.sort_unstable();
            buckets
        };
        assert_eq!(quantile(&[], 50), None);
        assert_eq!(quantile(&of(&[7]), 99), Some(7));
        assert_eq!(quantile(&of(&[10, 20, 30, 40]), 50), Some(20));
        assert_eq!(quantile(&of(&[10, 20, 30, 40]), 95), Some(40));
        let hundred: Vec<u64> = (1..=100).collect();
        assert_eq!([50, 95, 99].map(|percent| quantile(&of(&hundred), percent)), [Some(50), Some(95), Some(99)]);
        // 1007 lies between 125 × 8 and 126 × 8.
        assert_eq!((lower_end(bucket(1007)), lower_end(bucket(1008))), (1000, 1008));
    }

    proptest! {
        #[test]
        fn a_bucket_holds_its_lengths_within_a_64th(micros: u64) {
            let low = lower_end(bucket(micros));
            prop_assert!(low <= micros && micros - low <= low / 64);
            prop_assert!(bucket(micros) < 4096);
            prop_assert!(micros == u64::MAX || bucket(micros) <= bucket(micros + 1));
        }
    }
}
