//! The results.

use crate::rank;

/// The times of one kind of request.
pub(crate) struct Sample {
    name: String,
    /// In ms.
    pub(crate) times: Vec<f64>,
    /// Whether its times must be those of the reference.
    must_equal: bool,
}

impl Sample {
    /// Creates a sample whose times must be those of the reference.
    pub(crate) fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), times: Vec::new(), must_equal: true }
    }

    /// Creates a sample whose times may differ.
    pub(crate) fn that_may_differ(name: impl Into<String>) -> Self {
        Self { must_equal: false, ..Self::new(name) }
    }
}

/// The least p value that passes.
const P_MIN: f64 = 0.01;

/// Prints the samples of a group, compared with the first; returns whether all pass.
pub(crate) fn print(title: &str, group: &[Sample]) -> bool {
    println!("{title:<54}{:>12}{:>12}{:>12}{:>10}", "10 % ms", "50 % ms", "90 % ms", "p");
    let mut passed = true;
    for (index, sample) in group.iter().enumerate() {
        let [low, median, high] = [0.1, 0.5, 0.9].map(|share| quantile(&sample.times, share));
        print!("{:<54}{low:>12.3}{median:>12.3}{high:>12.3}", sample.name);
        if index == 0 {
            println!();
            continue;
        }
        let p = rank::p_value(&sample.times, &group[0].times);
        println!("{p:>10.4}");
        passed &= p >= P_MIN || !sample.must_equal;
    }
    passed
}

/// Returns the value below which this share of the times lies.
fn quantile(times: &[f64], share: f64) -> f64 {
    let mut sorted = times.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[((sorted.len() - 1) as f64 * share).round() as usize]
}
