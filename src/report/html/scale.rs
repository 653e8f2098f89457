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
}
