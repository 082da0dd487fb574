//! `datetime` and dates of `email.utils` for compiled Python: microseconds since 1970, UTC.

use crate::guest::{Call, Instead, Reply};
use crate::limits::HASH_FUEL;
use crate::python::exception::VALUE_ERROR;
use crate::python::letters::first;
use crate::python::place::refused;
use crate::python::request::limit;

const DAYS: [&str; 7] =
    ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// Zones by name, as hours and minutes.
const ZONES: [(&str, i64); 14] = [
    ("UT", 0),
    ("UTC", 0),
    ("GMT", 0),
    ("Z", 0),
    ("AST", -400),
    ("ADT", -300),
    ("EST", -500),
    ("EDT", -400),
    ("CST", -600),
    ("CDT", -500),
    ("MST", -700),
    ("MDT", -600),
    ("PST", -800),
    ("PDT", -700),
];

const DAY_S: i64 = 86_400;

/// Seconds of the first moment of year 1, and of the last of year 9999.
const RANGE: (i64, i64) = (-62_135_596_800, 253_402_300_799);

/// A moment as people write it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Moment {
    year: i64,
    /// From 1.
    month: i64,
    /// Of the month, from 1.
    day: i64,
    hour: i64,
    minute: i64,
    second: i64,
    /// From Monday, 0.
    weekday: i64,
    /// Of the year, from 1.
    yearday: i64,
}

fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

fn days_of_month(year: i64, month: i64) -> i64 {
    match month {
        2 => 28 + i64::from(is_leap(year)),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days from the first of January of year 1 to that of another year.
fn days_before(year: i64) -> i64 {
    let past = year - 1;
    past * 365 + past.div_euclid(4) - past.div_euclid(100) + past.div_euclid(400)
}

/// Days from 1970 to a date.
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let months = (1..month).map(|month| days_of_month(year, month)).sum::<i64>();
    days_before(year) - days_before(1970) + months + day - 1
}

/// A moment of seconds since 1970, up to some millions of years.
fn moment(seconds: i64) -> Moment {
    let (days, rest) = (seconds.div_euclid(DAY_S), seconds.rem_euclid(DAY_S));
    let since_one = days + days_before(1970);
    // 400 years have 146,097 days; the guess is off by one at most.
    let mut year = (since_one as i128 * 400).div_euclid(146_097) as i64 + 1;
    while days_before(year) > since_one {
        year -= 1;
    }
    while days_before(year + 1) <= since_one {
        year += 1;
    }
    let yearday = since_one - days_before(year) + 1;
    let (mut month, mut day) = (1, yearday);
    while day > days_of_month(year, month) {
        day -= days_of_month(year, month);
        month += 1;
    }
    Moment {
        year,
        month,
        day,
        hour: rest / 3600,
        minute: rest / 60 % 60,
        second: rest % 60,
        weekday: since_one.rem_euclid(7),
        yearday,
    }
}

/// Seconds in the range of dates, or why not.
fn in_range(seconds: i64) -> Result<i64, Result<String, Instead>> {
    if (RANGE.0..=RANGE.1).contains(&seconds) {
        return Ok(seconds);
    }
    // Beyond, the system's own function refuses with an error that scripts do not have.
    if seconds.unsigned_abs() > 1 << 55 {
        return Err(Err(limit("OSError: [Errno 75] Value too large for defined data type")));
    }
    Err(Ok(format!("year {} is out of range", moment(seconds).year)))
}

/// Seconds and microseconds of a DateTime.
fn parts(call: &Call<'_>, word: u64) -> Result<(Moment, i64), Instead> {
    let (seconds, rest) =
        ((word as i64).div_euclid(1_000_000), (word as i64).rem_euclid(1_000_000));
    match in_range(seconds) {
        Ok(seconds) => Ok((moment(seconds), rest)),
        Err(_) => Err(refused(call.guest.helper, "datetime", word)),
    }
}

pub(crate) fn isoformat(call: &mut Call<'_>) -> Reply {
    let (Moment { year, month, day, hour, minute, second, .. }, micros) =
        parts(call, call.args[0])?;
    let fraction = if micros > 0 { format!(".{micros:06}") } else { String::new() };
    let text =
        format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}{fraction}+00:00");
    call.give_str(text.as_bytes())
}

pub(crate) fn strftime(call: &mut Call<'_>) -> Reply {
    let (moment, _) = parts(call, call.args[0])?;
    let room = call.guest.room();
    let format = call.guest.input().content("format", call.args[1])?;
    call.fuel += format.len() as u64 * HASH_FUEL;
    let mut out = Vec::new();
    let mut rest = format;
    while let Some(at) = memchr::memchr(b'%', rest) {
        out.extend_from_slice(&rest[..at]);
        let directive = &rest[at + 1..];
        match directive.first() {
            Some(letter) => match directive_text(moment, *letter) {
                Some(text) => out.extend_from_slice(text.as_bytes()),
                None => {
                    let len = first(directive).map_or(0, |(_, len)| len);
                    let shown =
                        String::from_utf8_lossy(&directive[..len]).escape_debug().to_string();
                    return Err(limit(format!("strftime: %{shown}, a limit of compiled scripts")));
                }
            },
            None => out.push(b'%'),
        }
        if out.len() > room {
            return Err(crate::python::place::used_up());
        }
        rest = directive.get(1..).unwrap_or_default();
    }
    out.extend_from_slice(rest);
    call.give_str(&out)
}

/// What a directive stands for in the C locale.
fn directive_text(moment: Moment, letter: u8) -> Option<String> {
    let Moment { year, month, day, hour, minute, second, weekday, yearday } = moment;
    let (weekday, name) = (DAYS[weekday as usize], MONTHS[(month - 1) as usize]);
    Some(match letter {
        b'a' => weekday[..3].into(),
        b'A' => weekday.into(),
        b'b' => name[..3].into(),
        b'B' => name.into(),
        b'd' => format!("{day:02}"),
        b'H' => format!("{hour:02}"),
        b'I' => format!("{:02}", (hour + 11) % 12 + 1),
        b'j' => format!("{yearday:03}"),
        b'm' => format!("{month:02}"),
        b'M' => format!("{minute:02}"),
        b'p' => if hour < 12 { "AM" } else { "PM" }.into(),
        b'S' => format!("{second:02}"),
        b'y' => format!("{:02}", year % 100),
        b'Y' => year.to_string(),
        b'Z' => "UTC".into(),
        b'z' => "+0000".into(),
        b'%' => "%".into(),
        _ => return None,
    })
}

pub(crate) fn from_seconds(call: &mut Call<'_>) -> Reply {
    let [seconds, out, ..] = call.args;
    match in_range(seconds as i64) {
        Ok(seconds) => call.give(out, &[(seconds * 1_000_000) as u64]),
        Err(Ok(why)) => Err(call.raised(VALUE_ERROR, why)),
        Err(Err(instead)) => Err(instead),
    }
}

pub(crate) fn format_date(call: &mut Call<'_>) -> Reply {
    let [seconds, usegmt, ..] = call.args;
    let seconds = in_range(seconds as i64).map_err(|why| {
        why.map_or_else(|instead| instead, |why| limit(format!("ValueError: {why}")))
    })?;
    let Moment { year, month, day, hour, minute, second, weekday, .. } = moment(seconds);
    let (weekday, month) = (&DAYS[weekday as usize][..3], &MONTHS[(month - 1) as usize][..3]);
    let zone = if usegmt != 0 { "GMT" } else { "-0000" };
    let text =
        format!("{weekday}, {day:02} {month} {year:04} {hour:02}:{minute:02}:{second:02} {zone}");
    call.give_str(text.as_bytes())
}

/// What a date is refused with.
enum Refused {
    /// It is none.
    Invalid,
    /// Part of it is out of range.
    Value(String),
    /// Compiled scripts don't read it.
    Limit(&'static str),
}

/// As `int` reads it, of ASCII.
fn int(text: &str) -> Option<Result<i64, Refused>> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    let valid = !digits.is_empty()
        && digits
            .split('_')
            .all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit()));
    if !valid {
        return None;
    }
    let number: Option<i64> = digits.replace('_', "").parse().ok().filter(|n| *n < 1 << 31);
    let number = number.ok_or(Refused::Limit("OverflowError: a number of a date is too large"));
    Some(number.map(|number| if text.starts_with('-') { -number } else { number }))
}

fn is_day_name(text: &str) -> bool {
    DAYS.iter().any(|day| day[..3].eq_ignore_ascii_case(text))
}

fn month_number(text: &str) -> Option<i64> {
    let is_month =
        |month: &&str| month.eq_ignore_ascii_case(text) || month[..3].eq_ignore_ascii_case(text);
    MONTHS.iter().position(is_month).map(|index| index as i64 + 1)
}

/// Microseconds of a date in mail or HTTP, read as loosely as `parsedate_to_datetime` does.
fn parse(text: &str) -> Result<i64, Refused> {
    let space =
        |letter: char| letter.is_ascii_whitespace() || matches!(letter, '\x0b' | '\x1c'..='\x1f');
    let foreign =
        |letter: char| !letter.is_ascii() && (letter.is_whitespace() || letter.is_numeric());
    if text.contains(foreign) {
        return Err(Refused::Limit("a date with digits or spaces that are not ASCII"));
    }
    let mut data: Vec<&str> = text.split(space).filter(|part| !part.is_empty()).collect();
    let head = *data.first().ok_or(Refused::Invalid)?;
    if head.ends_with(',') || is_day_name(head) {
        data.remove(0);
    } else if let Some(at) = head.rfind(',') {
        data[0] = &head[at + 1..];
    }
    if data.len() == 3 {
        let parts: Vec<&str> = data[0].split('-').collect();
        if parts.len() == 3 {
            data = [&parts[..], &data[1..]].concat();
        }
    }
    if data.len() == 4 {
        let last = data[3];
        match last.find('+').or_else(|| last.find('-')) {
            Some(at) if at > 0 => {
                data[3] = &last[..at];
                data.push(&last[at..]);
            }
            _ => data.push(""),
        }
    }
    let &[mut dd, mm, mut yy, mut tm, mut tz, ..] = &data[..] else { return Err(Refused::Invalid) };
    if dd.is_empty() || mm.is_empty() || yy.is_empty() {
        return Err(Refused::Invalid);
    }
    let month = match month_number(mm) {
        Some(month) => month,
        None => {
            let month = month_number(dd).ok_or(Refused::Invalid)?;
            dd = mm;
            month
        }
    };
    dd = dd.strip_suffix(',').unwrap_or(dd);
    if yy.find(':').is_some_and(|at| at > 0) {
        (yy, tm) = (tm, yy);
    }
    if let Some(year) = yy.strip_suffix(',') {
        yy = year;
        if yy.is_empty() {
            return Err(Refused::Invalid);
        }
    }
    if !yy.starts_with(|letter: char| letter.is_ascii_digit()) {
        (yy, tz) = (tz, yy);
    }
    tm = tm.strip_suffix(',').unwrap_or(tm);
    let mut time: Vec<&str> = tm.split(':').collect();
    if time.len() == 1 && tm.contains('.') {
        time = tm.split('.').collect();
    }
    let (hour, minute, second) = match time[..] {
        [hour, minute] => (hour, minute, "0"),
        [hour, minute, second] => (hour, minute, second),
        _ => return Err(Refused::Invalid),
    };
    let number = |text| int(text).ok_or(Refused::Invalid)?;
    // All of them have to be numbers before any may be too large.
    for text in [yy, dd, hour, minute, second] {
        let _ = int(text).ok_or(Refused::Invalid)?;
    }
    let (mut year, day) = (number(yy)?, number(dd)?);
    let (hour, minute, second) = (number(hour)?, number(minute)?, number(second)?);
    if year < 100 {
        year += if year > 68 { 1900 } else { 2000 };
    }
    let zone = ZONES.iter().find(|(name, _)| name.eq_ignore_ascii_case(tz)).map(|(_, zone)| *zone);
    let zone = match zone {
        Some(zone) => Some(zone),
        None => int(tz).transpose()?.filter(|zone| *zone != 0 || !tz.starts_with('-')),
    };
    let Some(zone) = zone else {
        check(year, month, day, [hour, minute, second], 0).map_err(Refused::Value)?;
        return Err(Refused::Limit("a date without a time zone, a limit of compiled scripts"));
    };
    let offset = zone.signum() * (zone.abs() / 100 * 3600 + zone.abs() % 100 * 60);
    check(year, month, day, [hour, minute, second], offset).map_err(Refused::Value)?;
    if offset != 0 {
        // As text it would show the time of its zone, which is not kept.
        return Err(Refused::Limit("a date in another time zone than UTC"));
    }
    let days = days_since_1970(year, month, day);
    Ok((days * DAY_S + hour * 3600 + minute * 60 + second) * 1_000_000)
}

/// What `timezone` and `datetime` refuse.
fn check(year: i64, month: i64, day: i64, time: [i64; 3], offset: i64) -> Result<(), String> {
    if offset.abs() >= DAY_S {
        let (days, seconds) = (offset.div_euclid(DAY_S), offset.rem_euclid(DAY_S));
        let seconds = if seconds > 0 { format!(", seconds={seconds}") } else { String::new() };
        return Err(format!(
            "offset must be a timedelta strictly between -timedelta(hours=24) and \
             timedelta(hours=24), not datetime.timedelta(days={days}{seconds})."
        ));
    }
    if !(1..=9999).contains(&year) {
        return Err(format!("year {year} is out of range"));
    }
    if !(1..=days_of_month(year, month)).contains(&day) {
        return Err("day is out of range for month".into());
    }
    for (value, most, name) in
        [(time[0], 23, "hour"), (time[1], 59, "minute"), (time[2], 59, "second")]
    {
        if !(0..=most).contains(&value) {
            return Err(format!("{name} must be in 0..{most}"));
        }
    }
    Ok(())
}

pub(crate) fn parse_date(call: &mut Call<'_>) -> Reply {
    let [text, out, ..] = call.args;
    let text = call.guest.input().content("date", text)?;
    call.fuel += text.len() as u64 * HASH_FUEL;
    let shown = String::from_utf8_lossy(text);
    let parsed = parse(&shown);
    match parsed {
        Ok(micros) => match in_range(micros.div_euclid(1_000_000)) {
            Ok(_) => call.give(out, &[micros as u64]),
            Err(_) => Err(limit("OverflowError: date value out of range")),
        },
        Err(Refused::Invalid) => {
            let why = format!("Invalid date value or format \"{shown}\"");
            Err(call.raised(VALUE_ERROR, why))
        }
        Err(Refused::Value(why)) => Err(call.raised(VALUE_ERROR, why)),
        Err(Refused::Limit(why)) => Err(limit(why)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parsed(text: &str) -> String {
        match parse(text) {
            Ok(micros) => (micros / 1_000_000).to_string(),
            Err(Refused::Invalid) => "invalid".into(),
            Err(Refused::Value(why)) => why,
            Err(Refused::Limit(_)) => "limit".into(),
        }
    }

    #[test]
    fn dates() {
        for (text, expected) in [
            ("Sun, 06 Nov 1994 08:49:37 GMT", "784111777"),
            ("Sunday, 06-Nov-94 08:49:37 GMT", "784111777"),
            ("Sun Nov  6 08:49:37 1994", "limit"),
            ("6 nov 1994 08:49 +0100", "limit"),
            ("6 November 1994 08:49:37 -0530", "limit"),
            ("Sun,6 Nov 1994 08.49.37 EST", "limit"),
            ("Sun,6 Nov 1994 08.49.37 ut", "784111777"),
            ("6 Nov 94 08:49:37+0000", "784111777"),
            ("Nov 6, 1994 08:49:37 Z", "784111777"),
            ("6 Nov 1994 08:49:37 -0000", "limit"),
            ("6 Nov 1994 08:49:37 XYZ", "limit"),
            ("31 Feb 2024 00:00:00 GMT", "day is out of range for month"),
            ("31 Feb 2024 00:00:00", "day is out of range for month"),
            ("29 Feb 2024 00:00:00 GMT", "1709164800"),
            ("1 Jan 2024 24:00:00 GMT", "hour must be in 0..23"),
            ("1 Jan 2024 00:00:60 GMT", "second must be in 0..59"),
            ("1 Jan 10000 00:00:00 GMT", "year 10000 is out of range"),
            (
                "1 Jan 2024 00:00:00 +2400",
                "offset must be a timedelta strictly between \
                -timedelta(hours=24) and timedelta(hours=24), not datetime.timedelta(days=1).",
            ),
            (
                "1 Jan 2024 00:00:00 -9959",
                "offset must be a timedelta strictly between \
                -timedelta(hours=24) and timedelta(hours=24), \
                not datetime.timedelta(days=-5, seconds=72060).",
            ),
            ("1 Jan 68 00:00:00 GMT", "3092601600"),
            ("1 Jan 69 00:00:00 GMT", "-31536000"),
            ("", "invalid"),
            ("  ", "invalid"),
            ("Sun,", "invalid"),
            ("a b c d e", "invalid"),
            ("1 Jan 2024 x GMT", "invalid"),
            ("1 Jan 99999999999 00:00:00 GMT", "limit"),
        ] {
            assert_eq!(parsed(text), expected, "{text}");
        }
    }

    #[test]
    fn moments() {
        let text = |seconds| {
            let Moment { year, month, day, hour, minute, second, weekday, yearday } =
                moment(seconds);
            format!("{year}-{month}-{day} {hour}:{minute}:{second} {weekday} {yearday}")
        };
        assert_eq!(text(0), "1970-1-1 0:0:0 3 1");
        assert_eq!(text(-1), "1969-12-31 23:59:59 2 365");
        assert_eq!(text(RANGE.0), "1-1-1 0:0:0 0 1");
        assert_eq!(text(RANGE.1), "9999-12-31 23:59:59 4 365");
        assert_eq!(text(951_782_400), "2000-2-29 0:0:0 1 60");
    }

    proptest! {
        #[test]
        fn there_and_back(seconds in RANGE.0..=RANGE.1) {
            let Moment { year, month, day, hour, minute, second, .. } = moment(seconds);
            let days = days_since_1970(year, month, day);
            prop_assert_eq!(days * DAY_S + hour * 3600 + minute * 60 + second, seconds);
            prop_assert!((1..=days_of_month(year, month)).contains(&day));
        }

        #[test]
        fn any_moment(seconds in -(1_i64 << 55)..1 << 55) {
            moment(seconds);
        }

        #[test]
        fn any_text(text in "[a-zA-Z0-9:,.+\\- ]{0,40}|\\PC*") {
            let _ = parse(&text);
        }
    }
}
