//! From a feature's units to a picture's: a linear scale, its round ticks, and coordinates short enough to keep the page small.

use crate::report::format_value;

/// The width of every drawing area in its own units. Pictures stretch to their place; text is never inside them.
pub const WIDTH: f64 = 1000.0;

/// A linear map from values to positions.
#[derive(Clone, Copy, Debug)]
pub struct Scale {
    low: f64,
    high: f64,
    from: f64,
    to: f64,
}

/// A labelled place on an axis.
#[derive(Clone, Debug, PartialEq)]
pub struct Tick {
    /// In percent of the drawing area's width.
    pub at: String,
    pub label: String,
}

/// How wide one character of an axis label is, in percent of the narrowest picture (a small multiple, 230 pixels).
const CHARACTER: f64 = 3.3;

/// The space between two labels, in the same unit.
const LABEL_GAP: f64 = 1.5;

/// About how many steps an axis has.
const STEPS: f64 = 5.0;

impl Scale {
    /// `None` unless `low` and `high` are finite; where they are equal, everything is in the middle.
    pub fn new(low: f64, high: f64, from: f64, to: f64) -> Option<Self> {
        (low.is_finite() && high.is_finite() && low <= high && (high - low).is_finite()).then_some(Self { low, high, from, to })
    }

    pub fn at(&self, value: f64) -> f64 {
        let span = self.high - self.low;
        let part = if span > 0.0 { ((value - self.low) / span).clamp(0.0, 1.0) } else { 0.5 };
        self.from + part * (self.to - self.from)
    }

    /// Whether a value lies on the scale.
    pub fn holds(&self, value: f64) -> bool {
        (self.low..=self.high).contains(&value)
    }

    /// The position in percent of the width.
    pub fn percent(&self, value: f64) -> String {
        percent(self.at(value))
    }

    /// Round values inside the scale, without those that would run into each other.
    pub fn ticks(&self) -> Vec<Tick> {
        let span = self.high - self.low;
        if span <= 0.0 {
            return vec![Tick { at: self.percent(self.low), label: format_value(self.low) }];
        }
        let step = round_step(span / STEPS);
        let mut ticks = Vec::new();
        // Every value, or only every second or fourth one: evenly spaced labels read as a scale, others as data.
        for stride in [1.0, 2.0, 4.0] {
            ticks = self.every(step * stride);
            if !collide(&ticks) {
                break;
            }
        }
        ticks.into_iter().map(|(at, label)| Tick { at: short(at), label }).collect()
    }

    /// The multiples of `step` on the scale: where, in percent of the width, and their labels.
    fn every(&self, step: f64) -> Vec<(f64, String)> {
        let first = (self.low / step).ceil();
        let mut ticks: Vec<(f64, String)> = Vec::new();
        // At most STEPS and one, by the choice of the step; the bound is for values where adding 1 changes nothing.
        for index in 0..12 {
            let value = (first + f64::from(index)) * step;
            if value > self.high {
                break;
            }
            let label = format_value(value);
            if ticks.last().is_none_or(|(_, last)| *last != label) {
                ticks.push((self.at(value) / WIDTH * 100.0, label));
            }
        }
        ticks
    }
}

fn collide(ticks: &[(f64, String)]) -> bool {
    let room = |(at, label): &(f64, String)| (at - width_of(label) / 2.0, at + width_of(label) / 2.0 + LABEL_GAP);
    ticks.iter().zip(ticks.iter().skip(1)).any(|(left, right)| room(left).1 > room(right).0)
}

/// The width of a label, in percent of the narrowest picture.
fn width_of(label: &str) -> f64 {
    u16::try_from(label.chars().count()).map_or(100.0, |characters| f64::from(characters) * CHARACTER)
}

/// The round number (1, 2, 2.5 or 5 times a power of ten) at or just above `rough`.
pub fn round_step(rough: f64) -> f64 {
    let power = 10f64.powf(rough.log10().floor());
    let factor = [1.0, 2.0, 2.5, 5.0].into_iter().find(|factor| factor * power >= rough * 0.999_999).unwrap_or(10.0);
    factor * power
}

/// A position as CSS percent.
pub fn percent(position: f64) -> String {
    short(position / WIDTH * 100.0)
}

/// A coordinate with at most one decimal: a tenth of a unit is less than a pixel.
pub fn short(coordinate: f64) -> String {
    if !coordinate.is_finite() {
        return "0".to_owned();
    }
    let text = format!("{coordinate:.1}");
    let text = text.strip_suffix(".0").unwrap_or(&text);
    if text == "-0" { "0".to_owned() } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_inside() {
        let scale = Scale::new(0.13, 0.97, 0.0, WIDTH).unwrap();
        let labels: Vec<String> = scale.ticks().into_iter().map(|tick| tick.label).collect();
        assert_eq!(labels, ["0.2", "0.4", "0.6", "0.8"]);
    }

    #[test]
    fn a_single_value_is_in_the_middle_and_no_value_has_no_scale() {
        let scale = Scale::new(3.0, 3.0, 0.0, WIDTH).unwrap();
        assert_eq!(scale.ticks(), [Tick { at: "50".to_owned(), label: "3".to_owned() }]);
        assert!(Scale::new(f64::NAN, 1.0, 0.0, WIDTH).is_none());
        assert!(Scale::new(f64::MIN, f64::MAX, 0.0, WIDTH).is_none());
    }

    #[test]
    fn huge_and_tiny_ranges_end() {
        for (low, high) in [(1e15, 1e15 + 1.0), (1e-300, 2e-300), (-1e300, 1e300), (0.0, 5e-324)] {
            let scale = Scale::new(low, high, 0.0, WIDTH).unwrap();
            assert!(scale.ticks().len() <= 12);
        }
    }

    #[test]
    fn coordinates_are_short() {
        assert_eq!([0.0, 12.34, 100.0, -0.01].map(short), ["0", "12.3", "100", "0"]);
    }

    #[test]
    fn a_scale_maps_its_ends_and_holds_what_is_between() {
        let scale = Scale::new(10.0, 30.0, 100.0, 300.0).unwrap();
        assert_eq!([10.0, 15.0, 20.0, 30.0].map(|value| short(scale.at(value))), ["100", "150", "200", "300"]);
        assert_eq!([-5.0, 99.0].map(|value| short(scale.at(value))), ["100", "300"], "nothing is drawn outside");
        assert_eq!([9.9, 10.0, 30.0, 30.1].map(|value| scale.holds(value)), [false, true, true, false]);
        assert_eq!((scale.percent(15.0), percent(250.0), short(1_234.56)), ("15".to_owned(), "25".to_owned(), "1234.6".to_owned()));
        let single = Scale::new(3.0, 3.0, 100.0, 300.0).unwrap();
        assert_eq!([2.0, 3.0, 4.0].map(|value| short(single.at(value))), ["200"; 3]);
        assert!(Scale::new(2.0, 1.0, 0.0, WIDTH).is_none() && Scale::new(0.0, f64::INFINITY, 0.0, WIDTH).is_none());
        assert_eq!([f64::NAN, f64::INFINITY].map(short), ["0", "0"]);
    }

    #[test]
    fn a_round_step_is_the_next_of_one_two_two_and_a_half_five() {
        let rough = [1.0, 1.01, 2.0, 2.1, 2.5, 2.6, 5.0, 5.1, 0.03, 40.0];
        let round = [1.0, 2.0, 2.0, 2.5, 2.5, 5.0, 5.0, 10.0, 0.05, 50.0];
        for (rough, round) in rough.into_iter().zip(round) {
            assert!((round_step(rough) / round - 1.0).abs() < 1e-9, "{rough}: {}", round_step(rough));
        }
        // What is above it by rounding only is it.
        assert!((round_step(2.000_001) - 2.0).abs() < 1e-9 && (round_step(0.3 - 0.1) - 0.2).abs() < 1e-9);
    }

    fn ticks(low: f64, high: f64, from: f64, to: f64) -> Vec<(String, String)> {
        Scale::new(low, high, from, to).unwrap().ticks().into_iter().map(|tick| (tick.at, tick.label)).collect()
    }

    fn expected(ticks: &[(&str, &str)]) -> Vec<(String, String)> {
        ticks.iter().map(|(at, label)| ((*at).to_owned(), (*label).to_owned())).collect()
    }

    #[test]
    fn ticks_stand_where_their_values_are_and_both_ends_may_have_one() {
        let all = expected(&[("0", "10"), ("20", "11"), ("40", "12"), ("60", "13"), ("80", "14"), ("100", "15")]);
        assert_eq!(ticks(10.0, 15.0, 0.0, WIDTH), all);
        let inside = expected(&[("25", "-10"), ("50", "0"), ("75", "10")]);
        assert_eq!(ticks(-15.0, 15.0, 125.0, 875.0), inside);
    }

    #[test]
    fn labels_that_would_run_into_each_other_are_every_second_or_fourth() {
        // Five characters take 16.5 of the 20 percent between two ticks, six take 19.8 and leave no gap.
        let close = ["10000", "20000", "30000", "40000", "50000", "60000"];
        assert_eq!(ticks(1e4, 6e4, 0.0, WIDTH).into_iter().map(|(_, label)| label).collect::<Vec<_>>(), close);
        assert_eq!(ticks(1e5, 6e5, 0.0, WIDTH), expected(&[("20", "200000"), ("60", "400000"), ("100", "600000")]));
        // Eleven characters on a narrower drawing.
        let wide = ticks(-1.005e-100, -1.0e-100, 62.0, 938.0);
        assert_eq!(wide.into_iter().map(|(_, label)| label).collect::<Vec<_>>(), ["-1.004e-100", "-1e-100"]);
    }

    #[test]
    fn labels_collide_where_the_gap_between_them_is_too_small() {
        let collide = |at: f64| collide(&[(0.0, "0".to_owned()), (at, "0".to_owned())]);
        // Half a character on either side and the gap: 3.3 + 1.5.
        assert_eq!([collide(4.7), collide(4.9)], [true, false]);
        let long = |at: f64| super::collide(&[(10.0, "1.5".to_owned()), (at, "12345".to_owned())]);
        // 10 + 4.95 + 1.5 against what is left of at - 8.25.
        assert_eq!([long(24.6), long(24.8)], [true, false]);
        assert!(!super::collide(&[(0.0, "0".to_owned())]));
        assert!((width_of("12.5") - 13.2).abs() < 1e-9);
    }

    #[test]
    fn a_label_stands_once() {
        let scale = Scale::new(1e15, 1e15 + 1.0, 0.0, WIDTH).unwrap();
        assert_eq!(scale.every(0.25).into_iter().map(|(_, label)| label).collect::<Vec<_>>(), ["1e15"]);
        let scale = Scale::new(0.5, 4.5, 0.0, WIDTH).unwrap();
        let every: Vec<(String, String)> = scale.every(1.0).into_iter().map(|(at, label)| (short(at), label)).collect();
        assert_eq!(every, expected(&[("12.5", "1"), ("37.5", "2"), ("62.5", "3"), ("87.5", "4")]));
    }
}
