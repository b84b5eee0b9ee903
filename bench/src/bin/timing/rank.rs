//! The rank test of Mann and Whitney: whether one of two samples tends to be larger.

/// Returns the two-sided p value, from the normal approximation with a correction for ties, which holds from some twenty
/// values in each sample on: the probability of a difference like this one between samples of the same distribution.
pub(crate) fn p_value(first: &[f64], second: &[f64]) -> f64 {
    let (n, m) = (first.len() as f64, second.len() as f64);
    let mut values: Vec<(f64, bool)> = first.iter().map(|value| (*value, true)).collect();
    values.extend(second.iter().map(|value| (*value, false)));
    values.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (mut rank_sum, mut ties, mut ranked) = (0.0, 0.0, 0.0);
    for equal in values.chunk_by(|a, b| a.0 == b.0) {
        let count = equal.len() as f64;
        // Equal values share the mean of their ranks.
        let rank = ranked + (count + 1.0) / 2.0;
        rank_sum += rank * equal.iter().filter(|(_, is_first)| *is_first).count() as f64;
        ties += count.powi(3) - count;
        ranked += count;
    }
    let u = rank_sum - n * (n + 1.0) / 2.0;
    let all = n + m;
    let variance = n * m / 12.0 * (all + 1.0 - ties / (all * (all - 1.0)));
    if variance == 0.0 {
        return 1.0;
    }
    // Half a rank less: the normal distribution is continuous, ranks are not.
    let distance = ((u - n * m / 2.0).abs() - 0.5).max(0.0);
    complementary_error(distance / variance.sqrt() / f64::sqrt(2.0))
}

/// Approximates the complementary error function for `x >= 0` with an error below 1.5e-7 (Abramowitz and Stegun, 7.1.26).
fn complementary_error(x: f64) -> f64 {
    let t = 1.0 / (1.0 + 0.327_591_1 * x);
    let coefficients = [1.061_405_429, -1.453_152_027, 1.421_413_741, -0.284_496_736, 0.254_829_592];
    coefficients.iter().fold(0.0, |sum, coefficient| (sum + coefficient) * t) * (-x * x).exp()
}

#[cfg(test)]
mod tests {
    use super::p_value;

    #[test]
    fn p_values_are_those_of_scipy() {
        // scipy.stats.mannwhitneyu(a, b, method="asymptotic")
        let a = [1.1, 2.2, 3.3, 4.4, 5.5, 6.6, 7.7, 8.8, 9.9, 10.1];
        let b = [3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0, 11.0, 12.0, 13.0, 14.0];
        let ties = [1.0, 2.0, 2.0, 3.0, 3.0, 3.0, 4.0];
        for (first, second, expected) in [(&a[..], &b[..], 0.121_250_976), (&ties, &a, 0.021_424_218), (&b, &b, 1.0)] {
            assert!((p_value(first, second) - expected).abs() < 1e-6, "{}", p_value(first, second));
            assert!((p_value(second, first) - expected).abs() < 1e-6);
        }
        assert!(p_value(&[1.0; 200], &[2.0; 200]) < 1e-6);
        assert_eq!(p_value(&[1.0; 20], &[1.0; 20]), 1.0);
    }
}
