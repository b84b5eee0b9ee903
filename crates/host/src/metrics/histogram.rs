//! Lock-free histograms of durations.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::metrics::exposition::{Exposition, Kind, labels};

/// The upper bounds of the buckets of requests, in microseconds.
pub(super) const REQUEST_BOUNDS: &[u32] = &[
    250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000, 5_000_000,
    10_000_000, 30_000_000,
];
/// The upper bounds of the buckets of storage operations, in microseconds.
pub(super) const STORAGE_BOUNDS: &[u32] =
    &[10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 1_000_000, 3_000_000];

/// A histogram of durations.
pub(crate) struct Histogram {
    /// The upper bounds of the buckets, in microseconds.
    bounds: &'static [u32],
    /// The number of durations in each bucket, and of those above the last bound. Not cumulative.
    counts: Box<[AtomicU64]>,
    /// The sum of all durations, in nanoseconds. It wraps around, which Prometheus takes for a restart.
    sum: AtomicU64,
}

impl Histogram {
    pub(super) fn new(bounds: &'static [u32]) -> Self {
        let counts = (0..=bounds.len()).map(|_| AtomicU64::new(0)).collect();
        Self { bounds, counts, sum: AtomicU64::new(0) }
    }

    /// Adds a duration.
    pub(crate) fn observe(&self, duration: Duration) {
        let nanos = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        let bucket = self.bounds.partition_point(|bound| u64::from(*bound) * 1000 < nanos);
        self.counts[bucket].fetch_add(1, Ordering::Relaxed);
        self.sum.fetch_add(nanos, Ordering::Relaxed);
    }

    /// Measures until the result is dropped.
    pub(crate) fn start(&self) -> Timer<'_> {
        Timer { start: Instant::now(), histogram: self }
    }

    /// Returns the number of durations.
    pub(super) fn count(&self) -> u64 {
        self.counts.iter().map(|count| count.load(Ordering::Relaxed)).sum()
    }

    /// Writes the samples of the family `name` with these labels. The total is that of the buckets: threads may add
    /// durations meanwhile.
    pub(super) fn write(&self, text: &mut Exposition, name: &str, labels: &str) {
        let separator = if labels.is_empty() { "" } else { "," };
        let bucket = format!("{name}_bucket");
        let mut total = 0;
        for (index, count) in self.counts.iter().enumerate() {
            total += count.load(Ordering::Relaxed);
            let bound = self.bounds.get(index).map_or(f64::INFINITY, |bound| f64::from(*bound) / 1e6);
            let bound = if bound.is_finite() { bound.to_string() } else { "+Inf".to_owned() };
            text.sample(&bucket, &format!("{labels}{separator}le=\"{bound}\""), total);
        }
        text.sample(&format!("{name}_sum"), labels, self.sum.load(Ordering::Relaxed) as f64 / 1e9);
        text.sample(&format!("{name}_count"), labels, total);
    }
}

/// A running measurement. Dropping it adds the duration to the histogram.
pub(crate) struct Timer<'a> {
    start: Instant,
    histogram: &'a Histogram,
}

impl Drop for Timer<'_> {
    fn drop(&mut self) {
        self.histogram.observe(self.start.elapsed());
    }
}

/// Histograms of one name, which differ in their labels.
pub(super) struct Family {
    name: &'static str,
    help: &'static str,
    bounds: &'static [u32],
    members: Mutex<Vec<(String, Arc<Histogram>)>>,
}

impl Family {
    pub(super) fn new(name: &'static str, help: &'static str, bounds: &'static [u32]) -> Self {
        Self { name, help, bounds, members: Mutex::default() }
    }

    /// Returns the histogram with these labels, a new one if there is none. It takes a lock, so it is called when a
    /// component is loaded, and not when something is measured.
    pub(super) fn member(&self, pairs: &[(&str, &str)]) -> Arc<Histogram> {
        let labels = labels(pairs);
        let mut members = self.members.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, histogram)) = members.iter().find(|(other, _)| *other == labels) {
            return histogram.clone();
        }
        let histogram = Arc::new(Histogram::new(self.bounds));
        members.push((labels, histogram.clone()));
        histogram
    }

    pub(super) fn write(&self, text: &mut Exposition) {
        let members = self.members.lock().unwrap_or_else(PoisonError::into_inner);
        if members.is_empty() {
            return;
        }
        text.family(self.name, Kind::Histogram, self.help);
        for (labels, histogram) in &*members {
            histogram.write(text, self.name, labels);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(family: &Family) -> String {
        let mut text = Exposition::default();
        family.write(&mut text);
        text.into_text()
    }

    #[test]
    fn buckets_are_cumulative_and_include_their_bounds() {
        let family = Family::new("x_seconds", "Help.", &[10, 2_500_000]);
        assert_eq!(written(&family), "", "a family without samples");
        let histogram = family.member(&[("a", "b")]);
        for micros in [10, 11, 2_500_000, 2_500_001] {
            histogram.observe(Duration::from_micros(micros));
        }
        let expected = r#"# HELP x_seconds Help.
# TYPE x_seconds histogram
x_seconds_bucket{a="b",le="0.00001"} 1
x_seconds_bucket{a="b",le="2.5"} 3
x_seconds_bucket{a="b",le="+Inf"} 4
x_seconds_sum{a="b"} 5.000022
x_seconds_count{a="b"} 4
"#;
        assert_eq!(written(&family), expected);
        assert_eq!(histogram.count(), 4);
    }

    #[test]
    fn equal_labels_share_a_histogram() {
        let family = Family::new("x_seconds", "Help.", REQUEST_BOUNDS);
        drop(family.member(&[]).start());
        drop(family.member(&[]).start());
        family.member(&[("a", "b")]);
        assert_eq!(family.member(&[]).count(), 2);
        assert!(written(&family).contains("\nx_seconds_count 2\n") && written(&family).contains("{le=\"0.00025\"}"));
    }

    #[test]
    fn bounds_ascend() {
        assert!(REQUEST_BOUNDS.is_sorted() && STORAGE_BOUNDS.is_sorted());
    }
}
