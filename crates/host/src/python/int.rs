//! Integers, which have 64 bits or stop the script.

use crate::Outcome;
use crate::guest::{Call, Instead, Reply};
use crate::limits::HASH_FUEL;
use crate::python::chars;
use crate::python::exception::{OVERFLOW_ERROR, VALUE_ERROR, ZERO_DIVISION_ERROR};
use crate::python::place::{refused, too_large, used_up};
use crate::python::repr::shown;
use crate::python::text::Text;
use crate::python::unicode;

/// No third argument of `pow`.
const ABSENT: i64 = i64::MIN;

/// Most digits of a text, unless the base is a power of two.
const MAX_INT_DIGITS: usize = 4300;

pub(crate) fn to_str(call: &mut Call<'_>) -> Reply {
    let text = (call.args[0] as i64).to_string();
    call.guest.new_str(text.as_bytes())
}

/// Digits of an absolute value.
pub(crate) fn digits(value: u64, base: u64) -> String {
    match base {
        2 => format!("{value:b}"),
        8 => format!("{value:o}"),
        16 => format!("{value:x}"),
        _ => value.to_string(),
    }
}

/// As `bin`, `oct` and `hex` write it.
pub(crate) fn in_base(call: &mut Call<'_>) -> Reply {
    let [value, base, ..] = call.args;
    let prefix = match base {
        2 => "0b",
        8 => "0o",
        16 => "0x",
        _ => return Err(refused(call.guest.helper, "base", base)),
    };
    let value = value as i64;
    let sign = if value < 0 { "-" } else { "" };
    let text = format!("{sign}{prefix}{}", digits(value.unsigned_abs(), base));
    call.guest.new_str(text.as_bytes())
}

/// Why a text is no integer.
enum Bad {
    Literal,
    Digits(usize),
    Large,
}

/// An integer in ASCII.
fn parse(text: &[u8], mut base: u64) -> Result<i64, Bad> {
    let space = |byte: &u8| matches!(byte, 0x09..=0x0d | 0x20);
    let from = text.iter().position(|byte| !space(byte)).ok_or(Bad::Literal)?;
    let mut rest = &text[from..];
    let negative = rest[0] == b'-';
    if let [b'+' | b'-', behind @ ..] = rest {
        rest = behind;
    }
    let prefix = match rest {
        [b'0', b'x' | b'X', ..] => 16,
        [b'0', b'o' | b'O', ..] => 8,
        [b'0', b'b' | b'B', ..] => 2,
        _ => 0,
    };
    // In the source of a program an old octal number would begin with a zero.
    let zeros_only = base == 0 && prefix == 0 && rest.first() == Some(&b'0');
    if base == 0 {
        base = if prefix == 0 { 10 } else { prefix };
    }
    if prefix == base {
        rest = &rest[2..];
        rest = rest.strip_prefix(b"_").unwrap_or(rest);
    }
    let (mut value, mut count, mut at) = (Some(0_u64), 0, 0);
    while let Some(byte) = rest.get(at) {
        at += 1;
        let is_gap = *byte == b'_' && count > 0;
        let digit = if is_gap { rest.get(at) } else { Some(byte) };
        at += usize::from(is_gap);
        match digit.and_then(|digit| char::from(*digit).to_digit(36)) {
            Some(digit) if u64::from(digit) < base => {
                value = value.and_then(|v| v.checked_mul(base)?.checked_add(digit.into()));
                count += 1;
            }
            _ if is_gap => return Err(Bad::Literal),
            _ => {
                at -= 1;
                break;
            }
        }
    }
    if count == 0 {
        return Err(Bad::Literal);
    }
    if count > MAX_INT_DIGITS && !base.is_power_of_two() {
        return Err(Bad::Digits(count));
    }
    if !rest[at..].iter().all(space) || zeros_only && value != Some(0) {
        return Err(Bad::Literal);
    }
    let value = value.ok_or(Bad::Large)?;
    let value = if negative { 0_i64.checked_sub_unsigned(value) } else { value.try_into().ok() };
    value.ok_or(Bad::Large)
}

/// `int` of a text and a base.
pub(crate) fn from_text<const KIND: bool>(call: &mut Call<'_>) -> Reply {
    let [word, base, out, ..] = call.args;
    let text = Text::new::<KIND>(call.guest.input(), "s", word)?;
    call.fuel += text.bytes.len() as u64 * HASH_FUEL;
    if base == 1 || base > 36 {
        return Err(call.raised(VALUE_ERROR, "int() base must be >= 2 and <= 36, or 0"));
    }
    let result = if text.wide {
        // Digits and white space of all scripts; nothing else that is not ASCII is part of one.
        let ascii = chars::all(text.bytes).map(|point| match u8::try_from(point) {
            Ok(byte) if byte < 0x7f => byte,
            _ if unicode::is_space(point) => b' ',
            _ => unicode::decimal(point).map_or(b'?', |digit| b'0' + digit as u8),
        });
        parse(&ascii.collect::<Vec<u8>>(), base)
    } else {
        parse(text.bytes, base)
    };
    let message = match result {
        Ok(value) => return call.give(out, &[value as u64]),
        Err(Bad::Large) => return Err(too_large()),
        Err(Bad::Literal) => {
            format!("invalid literal for int() with base {base}: {}", shown(text))
        }
        Err(Bad::Digits(count)) => format!(
            "Exceeds the limit ({MAX_INT_DIGITS} digits) for integer string conversion: value has \
             {count} digits; use sys.set_int_max_str_digits() to increase the limit"
        ),
    };
    Err(call.raised(VALUE_ERROR, message))
}

pub(crate) fn to_bytes(call: &mut Call<'_>) -> Reply {
    let [value, len, order, signed, out] = call.args;
    let (value, room) = (value as i64, call.guest.room());
    let Ok(len) = usize::try_from(len as i64) else {
        return Err(call.raised(VALUE_ERROR, "length argument must be non-negative"));
    };
    if signed == 0 && value < 0 {
        return Err(call.raised(OVERFLOW_ERROR, "can't convert negative int to unsigned"));
    }
    // What is left above the bits that fit, which is the sign.
    let bits = (len.min(9) * 8) as u32 - u32::from(signed != 0 && len > 0);
    let above = i128::from(value) >> bits;
    if above != 0 && (above != -1 || signed == 0) {
        return Err(call.raised(OVERFLOW_ERROR, "int too big to convert"));
    }
    if len > room {
        return Err(used_up());
    }
    let mut bytes = vec![if value < 0 { 0xff } else { 0 }; len];
    let least_first = bytes.iter_mut().zip(value.to_le_bytes());
    least_first.for_each(|(place, byte)| *place = byte);
    if order == 0 {
        bytes.reverse();
    }
    let word = call.give_bytes(&bytes)?;
    call.give(out, &[word])
}

pub(crate) fn from_bytes(call: &mut Call<'_>) -> Reply {
    let [word, order, signed, ..] = call.args;
    let bytes = call.guest.input().content("bytes", word)?;
    call.fuel += bytes.len() as u64 * HASH_FUEL;
    let mut least_first: Box<dyn Iterator<Item = &u8>> =
        if order == 0 { Box::new(bytes.iter().rev()) } else { Box::new(bytes.iter()) };
    let top = if order == 0 { bytes.first() } else { bytes.last() };
    let negative = signed != 0 && top.is_some_and(|byte| byte & 0x80 != 0);
    let sign = if negative { 0xff } else { 0 };
    let mut low = [sign; 8];
    low.iter_mut().zip(&mut least_first).for_each(|(place, byte)| *place = *byte);
    let value = i64::from_le_bytes(low);
    if least_first.any(|byte| *byte != sign) || (value < 0) != negative {
        return Err(too_large());
    }
    Ok(value as u64)
}

/// Base to the power of an exponent, modulo something; all but the modulus fits.
fn power_modulo(base: i128, mut exponent: u64, modulus: i128) -> i128 {
    let mut square = base.rem_euclid(modulus);
    let mut result = 1 % modulus;
    while exponent > 0 {
        if exponent & 1 == 1 {
            result = result * square % modulus;
        }
        square = square * square % modulus;
        exponent >>= 1;
    }
    result
}

/// What a number has to be multiplied by to get 1, modulo something.
fn inverse(number: i128, modulus: i128) -> Option<i128> {
    let (mut a, mut b) = (number.rem_euclid(modulus), modulus);
    let (mut x, mut y) = (1_i128, 0_i128);
    while b != 0 {
        let quotient = a / b;
        (a, b) = (b, a - quotient * b);
        (x, y) = (y, x - quotient * y);
    }
    (a == 1).then(|| x.rem_euclid(modulus))
}

pub(crate) fn pow(call: &mut Call<'_>) -> Reply {
    let [base, exponent, modulus, out, _] = call.args;
    let (base, exponent, modulus) = (base as i64, exponent as i64, modulus as i64);
    call.fuel += 64;
    if modulus == 0 {
        return Err(call.raised(VALUE_ERROR, "pow() 3rd argument cannot be 0"));
    }
    if modulus != ABSENT {
        let size = i128::from(modulus.unsigned_abs());
        let mut base = i128::from(base);
        if exponent < 0 {
            match inverse(base, size) {
                Some(number) => base = number,
                None => {
                    let message = "base is not invertible for the given modulus";
                    return Err(call.raised(VALUE_ERROR, message));
                }
            }
        }
        let result = power_modulo(base, exponent.unsigned_abs(), size) as i64;
        let result = if modulus < 0 && result != 0 { result + modulus } else { result };
        return call.give(out, &[result as u64]);
    }
    if exponent < 0 {
        if base == 0 {
            let message = "0.0 cannot be raised to a negative power";
            return Err(call.raised(ZERO_DIVISION_ERROR, message));
        }
        let reason = "a negative exponent makes a float, which compiled scripts do not have";
        return Err(Instead::Other(Outcome::Trap(reason.into())));
    }
    let result = match base {
        0 | 1 => Some(if exponent == 0 { 1 } else { base }),
        -1 => Some(1 - 2 * (exponent & 1)),
        _ => u32::try_from(exponent).ok().and_then(|exponent| base.checked_pow(exponent)),
    };
    call.give(out, &[result.ok_or_else(too_large)? as u64])
}

pub(crate) fn isqrt(call: &mut Call<'_>) -> Reply {
    let [number, out, ..] = call.args;
    match (number as i64).checked_isqrt() {
        Some(root) => call.give(out, &[root as u64]),
        None => Err(call.raised(VALUE_ERROR, "isqrt() argument must be nonnegative")),
    }
}

pub(crate) fn factorial(call: &mut Call<'_>) -> Reply {
    let [number, out, ..] = call.args;
    let number = number as i64;
    if number < 0 {
        let message = "factorial() not defined for negative values";
        return Err(call.raised(VALUE_ERROR, message));
    }
    let mut product: i64 = 1;
    for factor in 2..=number {
        product = product.checked_mul(factor).ok_or_else(too_large)?;
    }
    call.give(out, &[product as u64])
}

/// Two numbers that must not be negative.
fn naturals(call: &mut Call<'_>) -> Result<(u64, u64), Instead> {
    let [n, k, ..] = call.args;
    for (name, number) in [("n", n), ("k", k)] {
        if (number as i64) < 0 {
            let message = format!("{name} must be a non-negative integer");
            return Err(call.raised(VALUE_ERROR, message));
        }
    }
    Ok((n, k))
}

fn greatest_divisor(mut a: u64, mut b: u64) -> u64 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

pub(crate) fn gcd(call: &mut Call<'_>) -> Reply {
    let [a, b, ..] = call.args.map(|number| (number as i64).unsigned_abs());
    let divisor = i64::try_from(greatest_divisor(a, b)).map_err(|_| too_large())?;
    Ok(divisor as u64)
}

pub(crate) fn lcm(call: &mut Call<'_>) -> Reply {
    let [a, b, ..] = call.args.map(|number| (number as i64).unsigned_abs());
    let multiple = (a / greatest_divisor(a, b).max(1)).checked_mul(b);
    let multiple = multiple.and_then(|number| i64::try_from(number).ok());
    Ok(multiple.ok_or_else(too_large)? as u64)
}

pub(crate) fn comb(call: &mut Call<'_>) -> Reply {
    let (n, k) = naturals(call)?;
    let mut result: u128 = u128::from(k <= n);
    // It only grows up to the middle, so it ends or is too large after 63 steps.
    for taken in 0..k.min(n.saturating_sub(k)) {
        result = result * u128::from(n - taken) / u128::from(taken + 1);
        i64::try_from(result).map_err(|_| too_large())?;
    }
    call.give(call.args[2], &[result as u64])
}

pub(crate) fn perm(call: &mut Call<'_>) -> Reply {
    let (n, k) = naturals(call)?;
    let mut result: i64 = i64::from(k <= n);
    for taken in 0..if k <= n { k } else { 0 } {
        result = result.checked_mul((n - taken) as i64).ok_or_else(too_large)?;
    }
    call.give(call.args[2], &[result as u64])
}
