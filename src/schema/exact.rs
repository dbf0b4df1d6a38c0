//! Floor 2. Numbers by their digits: what a caller wrote, never what a float made of it.
//!
//! Serves `format: int64` and `format: decimal`, which stay exact where `f64` does not
//! (`sql.md` 9.2), and every place where a number becomes a string or an integer.

use std::{cmp::Ordering, iter};

use serde_json::Number;

/// The most digits a number may have once its exponent is written out. Beyond the widest
/// decimal column in use; keeps `1e999999999` from becoming a gigabyte of zeros.
pub(super) const DIGITS_MAX: usize = 1000;

/// One number by the JSON grammar, its parts as written.
#[derive(Clone, Copy, Debug)]
pub(super) struct Written<'t> {
    text: &'t str,
    negative: bool,
    whole: &'t str,
    fraction: &'t str,
    /// The text behind `e`, with its sign.
    exponent: Option<&'t str>,
}

/// Why digits are not an integer of a given width.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NotInteger {
    /// A part behind the decimal point is left.
    Fraction,
    /// The digits do not fit.
    Range,
}

impl<'t> Written<'t> {
    /// Reads `text` by the number grammar of RFC 8259: no sign `+`, no leading zeros, no spaces.
    pub(super) fn parse(text: &'t str) -> Option<Self> {
        let (negative, rest) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
        let (mantissa, exponent) =
            rest.split_once(['e', 'E']).map_or((rest, None), |(left, right)| (left, Some(right)));
        let (whole, fraction) = match mantissa.split_once('.') {
            Some((whole, fraction)) if is_digits(fraction) => (whole, fraction),
            Some(_) => return None,
            None => (mantissa, ""),
        };
        if !is_digits(whole) || (whole.len() > 1 && whole.starts_with('0')) {
            return None;
        }
        if let Some(exponent) = exponent
            && !is_digits(exponent.strip_prefix(['+', '-']).unwrap_or(exponent))
        {
            return None;
        }
        Some(Self { text, negative, whole, fraction, exponent })
    }

    /// The text as it was written.
    pub(super) const fn text(self) -> &'t str {
        self.text
    }

    /// Whether it is written as digits only, with neither a decimal point nor an exponent.
    pub(super) const fn is_plain_integer(self) -> bool {
        self.fraction.is_empty() && self.exponent.is_none()
    }

    /// Whether it is written without an exponent.
    pub(super) const fn is_plain(self) -> bool {
        self.exponent.is_none()
    }

    /// The integer that these digits are, when nothing is left behind the decimal point.
    pub(super) fn integer(self) -> Result<i128, NotInteger> {
        if self.is_zero() {
            return Ok(0);
        }
        let decimal = self.decimal().ok_or(match self.exponent {
            Some(exponent) if exponent.starts_with('-') => NotInteger::Fraction,
            Some(_) | None => NotInteger::Range,
        })?;
        if !decimal.fraction.trim_end_matches('0').is_empty() {
            return Err(NotInteger::Fraction);
        }
        let magnitude: i128 = decimal.whole.parse().map_err(|_| NotInteger::Range)?;
        Ok(if self.negative { -magnitude } else { magnitude })
    }

    /// The digits with the exponent written out; nothing when they would be more than
    /// [`DIGITS_MAX`].
    pub(super) fn decimal(self) -> Option<Decimal> {
        let mut whole = self.whole.to_owned();
        let mut fraction = self.fraction.to_owned();
        if let Some(exponent) = self.exponent
            && !self.is_zero()
        {
            let shift: i32 = exponent.parse().ok()?;
            let places = usize::try_from(shift.unsigned_abs()).ok()?;
            if places > DIGITS_MAX {
                return None;
            }
            if shift >= 0 {
                let moved = places.min(fraction.len());
                whole.extend(fraction.drain(..moved));
                whole.extend(iter::repeat_n('0', places - moved));
            } else {
                let padding = (places + 1).saturating_sub(whole.len());
                whole.insert_str(0, &"0".repeat(padding));
                fraction.insert_str(0, &whole.split_off(whole.len().saturating_sub(places)));
            }
            let leading = whole.len() - whole.trim_start_matches('0').len();
            whole.drain(..leading.min(whole.len().saturating_sub(1)));
        }
        (whole.len() + fraction.len() <= DIGITS_MAX).then_some(Decimal { negative: self.negative, whole, fraction })
    }

    /// The text itself when it has no exponent, or else the digits written out.
    pub(super) fn digits(self) -> Option<String> {
        let decimal = self.decimal()?;
        Some(if self.is_plain() { self.text.to_owned() } else { decimal.text() })
    }

    fn is_zero(self) -> bool {
        self.whole.bytes().chain(self.fraction.bytes()).all(|digit| digit == b'0')
    }
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// A number as a sign and two runs of digits; `whole` has no leading zeros, save `0` itself.
#[derive(Clone, Debug)]
pub(super) struct Decimal {
    negative: bool,
    whole: String,
    fraction: String,
}

impl Decimal {
    /// The number that a schema states, by its shortest digits.
    pub(super) fn of(number: &Number) -> Option<Self> {
        Written::parse(&number.to_string())?.decimal()
    }

    /// The digits, without an exponent.
    pub(super) fn text(&self) -> String {
        let sign = if self.negative { "-" } else { "" };
        let point = if self.fraction.is_empty() { "" } else { "." };
        format!("{sign}{}{point}{}", self.whole, self.fraction)
    }

    fn is_zero(&self) -> bool {
        self.whole.bytes().chain(self.fraction.bytes()).all(|digit| digit == b'0')
    }

    /// Orders two numbers by value, so that `1.50` equals `1.5`.
    pub(super) fn order(&self, other: &Self) -> Ordering {
        let sign = |number: &Self| match (number.is_zero(), number.negative) {
            (true, _) => 0,
            (false, true) => -1,
            (false, false) => 1,
        };
        let (left, right) = (sign(self), sign(other));
        if left != right || left == 0 {
            return left.cmp(&right);
        }
        let size =
            self.whole.len().cmp(&other.whole.len()).then_with(|| self.whole.cmp(&other.whole)).then_with(|| {
                let tail = |number: &'_ Self| number.fraction.trim_end_matches('0').to_owned();
                tail(self).cmp(&tail(other))
            });
        if left < 0 { size.reverse() } else { size }
    }

    /// Whether this is a whole number of steps. Nothing when the step is zero or has more than
    /// thirty digits, which no schema number has.
    pub(super) fn is_multiple_of(&self, step: &Self) -> Option<bool> {
        let step_fraction = step.fraction.trim_end_matches('0');
        let divisor: u128 = format!("{}{step_fraction}", step.whole)
            .parse()
            .ok()
            .filter(|divisor| (1..10_u128.pow(30)).contains(divisor))?;
        let own_fraction = self.fraction.trim_end_matches('0');
        if own_fraction.len() > step_fraction.len() {
            return Some(false);
        }
        let padding = iter::repeat_n(b'0', step_fraction.len() - own_fraction.len());
        let rest = self
            .whole
            .bytes()
            .chain(own_fraction.bytes())
            .chain(padding)
            .fold(0_u128, |rest, digit| (rest * 10 + u128::from(digit - b'0')) % divisor);
        Some(rest == 0)
    }
}

#[cfg(test)]
mod tests {
    use super::{Decimal, NotInteger, Written};

    fn decimal(text: &str) -> Decimal {
        Written::parse(text).and_then(Written::decimal).unwrap_or_else(|| panic!("{text}"))
    }

    #[test]
    fn only_the_json_number_grammar_is_a_number() {
        for text in ["0", "-0", "5", "5.0", "1e3", "1E-3", "1.25e+2", "18446744073709551616"] {
            assert!(Written::parse(text).is_some(), "{text}");
        }
        for text in [
            "", "-", "+5", "05", ".5", "5.", " 5", "5 ", "1e", "1e+", "0x10", "NaN", "Infinity", "1_000", "1,5", "٥",
            "--1", "1e1.5",
        ] {
            assert!(Written::parse(text).is_none(), "{text}");
        }
    }

    #[test]
    fn an_integer_is_what_its_digits_say() {
        for (text, integer) in [
            ("5", Ok(5)),
            ("-0", Ok(0)),
            ("5.0", Ok(5)),
            ("1.5e1", Ok(15)),
            ("1e3", Ok(1000)),
            ("100e-2", Ok(1)),
            ("0e999999999999", Ok(0)),
            ("9007199254740993.0", Ok(9_007_199_254_740_993)),
            ("18446744073709551616", Ok(18_446_744_073_709_551_616)),
            ("5.5", Err(NotInteger::Fraction)),
            ("5.00000000000000000001", Err(NotInteger::Fraction)),
            ("1e-3", Err(NotInteger::Fraction)),
            ("1e-999999999999", Err(NotInteger::Fraction)),
            ("1e60", Err(NotInteger::Range)),
            ("1e999999999999", Err(NotInteger::Range)),
        ] {
            assert_eq!(Written::parse(text).map(Written::integer), Some(integer), "{text}");
        }
    }

    #[test]
    fn an_exponent_is_written_out_without_losing_digits() {
        for (text, digits) in [
            ("1.50", Some("1.50")),
            ("0.10000000000000000000001", Some("0.10000000000000000000001")),
            ("1.5e2", Some("150")),
            ("1.505e2", Some("150.5")),
            ("12345e-2", Some("123.45")),
            ("5e-3", Some("0.005")),
            ("-1e-1", Some("-0.1")),
            ("0.0012e3", Some("1.2")),
            ("0.0012e1", Some("0.012")),
            ("0e5", Some("0")),
            ("1e1001", None),
            ("1e99999999999999999999", None),
        ] {
            let found = Written::parse(text).and_then(Written::digits);
            assert_eq!(found.as_deref(), digits, "{text}");
        }
    }

    #[test]
    fn decimals_are_ordered_by_value() {
        let ascending = ["-10.5", "-10", "-0.01", "0", "0.1", "0.10001", "0.2", "2", "10", "10.01"];
        for (at, left) in ascending.iter().enumerate() {
            for (other, right) in ascending.iter().enumerate() {
                assert_eq!(decimal(left).order(&decimal(right)), at.cmp(&other), "{left} {right}");
            }
        }
        for (left, right) in [("1.50", "1.5"), ("-0", "0.00"), ("1e2", "100")] {
            assert!(decimal(left).order(&decimal(right)).is_eq(), "{left} {right}");
        }
    }

    #[test]
    fn steps_are_counted_exactly() {
        for (value, step, whole) in [
            ("0.3", "0.1", true),
            ("0.35", "0.1", false),
            ("123456789012345678901234567890.25", "0.05", true),
            ("123456789012345678901234567890.26", "0.05", false),
            ("0", "7", true),
            ("-14", "7", true),
        ] {
            assert_eq!(decimal(value).is_multiple_of(&decimal(step)), Some(whole), "{value} {step}");
        }
        assert_eq!(decimal("1").is_multiple_of(&decimal("0")), None);
    }
}
