//! Dates written as text: one layout out of a closed list is found in the training rows, read and written back.
//!
//! Layouts: `2018-04-01`, `4/1/2018`, `1/4/2018`, `20180401`, with `-`, `/` or `.` between the parts, each alone or
//! followed by a space or `T`, `HH:MM`, `:SS`, a fraction, `Z` or an offset. Where month and day cannot be told apart,
//! the month comes first, but never with dots: `01.04.2018` is the first of April.

use super::calendar::{civil, day_of};
use super::read::DAY;

const SECOND: i64 = 1_000_000;
/// Share of the values that must be readable.
const READABLE: f64 = 0.98;
pub const SEPARATORS: [char; 3] = ['-', '/', '.'];

/// The order of a date's parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    Iso,
    Compact,
    MonthFirst,
    DayFirst,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Clock {
    None,
    Minutes,
    Seconds,
}

/// How a column writes its dates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layout {
    pub order: Order,
    /// Between the parts of the date: one of [`SEPARATORS`].
    pub separator: char,
    /// Two digits for every month and day.
    pub padded: bool,
    /// `T` instead of a space before the time.
    pub marked: bool,
    pub clock: Clock,
    /// Digits of the fraction, 0..=9.
    pub fraction: u8,
    /// Minutes east of UTC, if written; 0 is written `Z`.
    pub offset: Option<i16>,
}

impl Order {
    pub const ALL: [Self; 4] = [Self::Iso, Self::Compact, Self::MonthFirst, Self::DayFirst];

    pub fn name(self) -> &'static str {
        match self {
            Self::Iso => "Y-M-D",
            Self::Compact => "YMD",
            Self::MonthFirst => "M/D/Y",
            Self::DayFirst => "D/M/Y",
        }
    }
}

impl Layout {
    pub const DATE: Self = Self {
        order: Order::Iso,
        separator: '-',
        padded: true,
        marked: false,
        clock: Clock::None,
        fraction: 0,
        offset: None,
    };
    pub const DATE_TIME: Self = Self { clock: Clock::Seconds, ..Self::DATE };

    /// Digits enough for these microseconds.
    pub fn with_fraction(self, micros: i64) -> Self {
        let fraction = match micros {
            whole if whole % SECOND == 0 => 0,
            milli if milli % 1_000 == 0 => 3,
            _ => 6,
        };
        Self { fraction, ..self }
    }

    /// Local microseconds as text.
    pub fn write(&self, local: i64) -> String {
        let (year, month, day) = civil(local.div_euclid(DAY));
        let (of_day, by) = (local.rem_euclid(DAY), self.separator);
        let mut text = match (self.order, self.padded) {
            (Order::Iso, true) => format!("{year:04}{by}{month:02}{by}{day:02}"),
            (Order::Iso, false) => format!("{year:04}{by}{month}{by}{day}"),
            (Order::Compact, _) => format!("{year:04}{month:02}{day:02}"),
            (Order::MonthFirst, true) => format!("{month:02}{by}{day:02}{by}{year:04}"),
            (Order::MonthFirst, false) => format!("{month}{by}{day}{by}{year:04}"),
            (Order::DayFirst, true) => format!("{day:02}{by}{month:02}{by}{year:04}"),
            (Order::DayFirst, false) => format!("{day}{by}{month}{by}{year:04}"),
        };
        if self.clock == Clock::None {
            return text;
        }
        text.push(if self.marked { 'T' } else { ' ' });
        text.push_str(&self.write_clock(of_day));
        match self.offset {
            None => {}
            Some(0) => text.push('Z'),
            Some(minutes) => {
                let sign = if minutes < 0 { '-' } else { '+' };
                text.push_str(&format!("{sign}{:02}:{:02}", minutes.abs() / 60, minutes.abs() % 60));
            }
        }
        text
    }

    fn write_clock(&self, of_day: i64) -> String {
        let seconds = of_day / SECOND;
        let mut text = format!("{:02}:{:02}", seconds / 3_600, seconds / 60 % 60);
        if self.clock == Clock::Seconds {
            text.push_str(&format!(":{:02}", seconds % 60));
            if self.fraction > 0 {
                let digits = format!("{:06}000", of_day % SECOND);
                text.push('.');
                text.push_str(&digits[..usize::from(self.fraction.min(9))]);
            }
        }
        text
    }
}

/// `HH:MM:SS` with the fraction that is needed.
pub fn time_of_day(micros: i64) -> String {
    Layout::DATE_TIME.with_fraction(micros).write_clock(micros.rem_euclid(DAY))
}

/// Bytes that are read from the front.
struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn eat(&mut self, byte: u8) -> bool {
        match self.0.split_first() {
            Some((first, rest)) if *first == byte => {
                self.0 = rest;
                true
            }
            _ => false,
        }
    }

    /// One of [`SEPARATORS`].
    fn separator(&mut self) -> Option<char> {
        SEPARATORS.into_iter().find(|&by| self.eat(by as u8))
    }

    /// A number of `least..=most` digits and how many there were.
    fn digits(&mut self, least: usize, most: usize) -> Option<(i64, usize)> {
        let (mut value, mut count) = (0, 0);
        while let (true, Some(digit)) = (count < most, self.0.first().filter(|byte| byte.is_ascii_digit())) {
            value = value * 10 + i64::from(digit - b'0');
            count += 1;
            self.0 = &self.0[1..];
        }
        (count >= least).then_some((value, count))
    }
}

/// UTC microseconds of a text in the given order, and the layout of this one text.
pub fn parse(text: &str, order: Order) -> Option<(i64, Layout)> {
    let mut reader = Reader(text.as_bytes());
    let mut layout = Layout { order, ..Layout::DATE };
    let (year, month, day, digits) = match order {
        Order::Iso => {
            let year = reader.digits(4, 4)?.0;
            layout.separator = reader.separator()?;
            let month = reader.digits(1, 2)?;
            let day = reader.eat(layout.separator as u8).then(|| reader.digits(1, 2)).flatten()?;
            (year, month.0, day.0, month.1.min(day.1))
        }
        Order::Compact => {
            let number = reader.digits(8, 8)?.0;
            // Eight digits are dates only around our time: other numbers look the same.
            let year = Some(number / 10_000).filter(|year| (1900..2200).contains(year))?;
            (year, number / 100 % 100, number % 100, 2)
        }
        Order::MonthFirst | Order::DayFirst => {
            let first = reader.digits(1, 2)?;
            layout.separator = reader.separator().filter(|&by| by != '.' || order == Order::DayFirst)?;
            let second = reader.digits(1, 2)?;
            let year = reader.eat(layout.separator as u8).then(|| reader.digits(4, 4)).flatten()?.0;
            let (month, day) = if order == Order::MonthFirst { (first, second) } else { (second, first) };
            (year, month.0, day.0, month.1.min(day.1))
        }
    };
    layout.padded = digits == 2;
    let mut micros = day_of(year, month, day)? * DAY;
    if !reader.0.is_empty() {
        layout.marked = reader.eat(b'T');
        if !layout.marked && !reader.eat(b' ') {
            return None;
        }
        micros += parse_clock(&mut reader, &mut layout)?;
        micros -= i64::from(parse_offset(&mut reader, &mut layout)?) * 60 * SECOND;
    }
    reader.0.is_empty().then_some((micros, layout))
}

/// Microseconds of `HH:MM[:SS[.fraction]]`.
fn parse_clock(reader: &mut Reader<'_>, layout: &mut Layout) -> Option<i64> {
    let hour = reader.digits(1, 2)?.0;
    let minute = reader.eat(b':').then(|| reader.digits(2, 2)).flatten()?.0;
    layout.clock = Clock::Minutes;
    let (mut second, mut micros) = (0, 0);
    if reader.eat(b':') {
        layout.clock = Clock::Seconds;
        second = reader.digits(2, 2)?.0;
        if reader.eat(b'.') {
            let (fraction, digits) = reader.digits(1, 9)?;
            layout.fraction = u8::try_from(digits).ok()?;
            let power = 10_i64.pow(u32::try_from(digits).ok()?);
            micros = fraction * SECOND / power;
        }
    }
    let valid = hour < 24 && minute < 60 && second < 60;
    valid.then_some(((hour * 60 + minute) * 60 + second) * SECOND + micros)
}

/// Minutes east of UTC, 0 where nothing is written.
fn parse_offset(reader: &mut Reader<'_>, layout: &mut Layout) -> Option<i16> {
    if reader.0.is_empty() {
        return Some(0);
    }
    if reader.eat(b'Z') {
        layout.offset = Some(0);
        return Some(0);
    }
    let negative = reader.eat(b'-');
    if !negative && !reader.eat(b'+') {
        return None;
    }
    let hours = reader.digits(2, 2)?.0;
    reader.eat(b':');
    let minutes = if reader.0.is_empty() { 0 } else { reader.digits(2, 2)?.0 };
    let size = i16::try_from(hours * 60 + minutes).ok().filter(|size| *size < 24 * 60)?;
    let offset = if negative { -size } else { size };
    layout.offset = Some(offset);
    Some(offset)
}

/// The layout that at least 98 % of the values have, if any.
pub fn detect(values: &[&str]) -> Option<Layout> {
    let count = values.len();
    let mut best: Option<(usize, Layout)> = None;
    for order in Order::ALL {
        // A column that is no date shows that early.
        let early = values.iter().take(100);
        let tried = count.min(100);
        if (early.filter(|text| parse(text, order).is_some()).count() as f64) < 0.9 * tried as f64 {
            continue;
        }
        let found: Vec<Layout> = values.iter().filter_map(|text| Some(parse(text, order)?.1)).collect();
        if found.is_empty() || (found.len() as f64) < READABLE * count as f64 {
            continue;
        }
        if best.as_ref().is_none_or(|(most, _)| found.len() > *most) {
            best = Some((found.len(), common(order, &found)));
        }
    }
    best.map(|(_, layout)| layout)
}

/// The layout that can write every value.
fn common(order: Order, found: &[Layout]) -> Layout {
    let timed = || found.iter().filter(|layout| layout.clock != Clock::None);
    let first_offset = timed().next().and_then(|layout| layout.offset);
    let same_offset = timed().all(|layout| layout.offset == first_offset);
    let any_offset = timed().any(|layout| layout.offset.is_some());
    Layout {
        order,
        separator: found.first().map_or('-', |layout| layout.separator),
        padded: found.iter().all(|layout| layout.padded),
        marked: timed().filter(|layout| layout.marked).count() * 2 > timed().count(),
        clock: found.iter().map(|layout| layout.clock).max().unwrap_or(Clock::None),
        fraction: found.iter().map(|layout| layout.fraction).max().unwrap_or(0),
        // Mixed offsets are written in UTC.
        offset: if same_offset { first_offset } else { any_offset.then_some(0) },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round_trip(values: &[&str]) {
        let layout = detect(values);
        let Some(layout) = layout else { unreachable!("{values:?} are dates") };
        let shift = i64::from(layout.offset.unwrap_or(0)) * 60 * SECOND;
        for value in values {
            let micros = parse(value, layout.order).map(|(micros, _)| micros + shift);
            assert_eq!(micros.map(|local| layout.write(local)).as_deref(), Some(*value));
        }
    }

    #[test]
    fn every_layout_is_written_as_it_was_read() {
        round_trip(&["2018-04-01", "2020-02-29"]);
        round_trip(&["2018-04-01 00:00:31", "1999-12-31 23:59:59"]);
        round_trip(&["2018-04-01T00:00:31.250Z", "2018-04-01T10:00:31.000Z"]);
        round_trip(&["2018-04-01T00:00:31+02:00", "2018-04-02T01:00:31+02:00"]);
        round_trip(&["4/13/2018", "12/1/2018"]);
        round_trip(&["13/04/2018", "01/12/2018"]);
        round_trip(&["13.04.2018", "01.12.2018"]);
        round_trip(&["1.4.2018 10:30", "13.12.2018 09:05"]);
        round_trip(&["2018/04/01", "2020/02/29"]);
        round_trip(&["13-04-2018", "01-12-2018"]);
        round_trip(&["4/13/2018 10:30", "12/1/2018 09:05"]);
        round_trip(&["20180401", "20191231"]);
    }

    #[test]
    fn an_ambiguous_date_has_the_month_first() {
        assert_eq!(detect(&["01/02/2018", "03/04/2018"]).map(|l| l.order), Some(Order::MonthFirst));
        assert_eq!(detect(&["01/02/2018", "13/04/2018"]).map(|l| l.order), Some(Order::DayFirst));
        assert_eq!(detect(&["01.02.2018", "03.04.2018"]).map(|l| l.order), Some(Order::DayFirst));
    }

    #[test]
    fn other_texts_are_no_dates() {
        for text in
            ["", "2018-13-01", "2018-02-30", "99999999", "2018-04-01x", "2018-04-01 25:00", "abc", "1/2/18", "1/2-2018"]
        {
            assert_eq!(detect(&[text]), None, "{text}");
        }
    }
}
