//! Medians, and how far to trust their ratios.

/// Resamplings for an interval.
const RESAMPLES: usize = 4000;

/// A number in a flat JSON object.
pub(super) fn field(line: &str, name: &str) -> Option<f64> {
    let rest = line.split_once(&format!("\"{name}\":"))?.1;
    rest.split([',', '}']).next()?.trim().parse().ok()
}

pub(super) fn median(values: &[f64]) -> f64 {
    quantile(values, 0.5)
}

/// `1234567` as `1,234,567`.
pub(super) fn grouped(value: f64) -> String {
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (at, c) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(c);
    }
    text
}

/// Linear between the two nearest values.
fn quantile(values: &[f64], q: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let Some(last) = sorted.len().checked_sub(1) else { return f64::NAN };
    #[expect(clippy::cast_precision_loss, clippy::cast_sign_loss, reason = "a handful of rounds")]
    let (place, low) = (q * last as f64, (q * last as f64) as usize);
    #[expect(clippy::cast_precision_loss, reason = "a handful of rounds")]
    let part = place - low as f64;
    sorted[low] + (sorted[(low + 1).min(last)] - sorted[low]) * part
}

/// The ratio of the medians of `a` and `b`, and its 90 % bootstrap interval.
pub(super) fn ratio(a: &[f64], b: &[f64]) -> (f64, f64, f64) {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let ratios: Vec<f64> =
        (0..RESAMPLES).map(|_| median(&random.resample(a)) / median(&random.resample(b))).collect();
    (median(a) / median(b), quantile(&ratios, 0.05), quantile(&ratios, 0.95))
}

/// xorshift64: the same intervals from the same figures, each time.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn resample(&mut self, values: &[f64]) -> Vec<f64> {
        let len = values.len() as u64;
        values.iter().map(|_| values[(self.next() % len) as usize]).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_of_the_generators_line_are_found() {
        let line = "{\"mode\":\"echo\",\"bad\":0,\"srv_cpu_s_per_million\":0.4300}";
        assert_eq!(field(line, "srv_cpu_s_per_million"), Some(0.43));
        assert_eq!(field(line, "bad"), Some(0.0));
        assert_eq!(field(line, "mode"), None);
        assert_eq!(field(line, "lost"), None);
    }

    #[test]
    fn digits_are_grouped_by_three() {
        assert_eq!(
            [7.0, 999.6, 25_000.0, 1_234_567.0].map(grouped).join(" "),
            "7 1,000 25,000 1,234,567"
        );
    }

    #[test]
    fn medians_lie_between() {
        assert!((median(&[3.0, 1.0, 2.0]) - 2.0).abs() < 1e-9);
        assert!((median(&[4.0, 1.0]) - 2.5).abs() < 1e-9);
        assert!(median(&[]).is_nan());
    }

    #[test]
    fn an_interval_holds_the_ratio_and_is_narrow_for_equal_figures() {
        let (mid, low, high) = ratio(&[10.0, 11.0, 12.0, 9.0, 10.5], &[5.0, 5.5, 6.0, 4.5, 5.2]);
        assert!(low <= mid && mid <= high);
        assert!((1.5..2.6).contains(&low) && (1.5..2.6).contains(&high));
        let (mid, low, high) = ratio(&[8.0; 5], &[2.0; 5]);
        assert!((mid - 4.0).abs() < 1e-9 && (low - 4.0).abs() < 1e-9 && (high - 4.0).abs() < 1e-9);
    }
}
