//! The civil calendar and time zones in plain integer arithmetic, fast enough for every cell.
//!
//! Days to dates and back: Hinnant, "chrono-compatible low-level date algorithms" (2013). A named zone's changes of
//! offset are tabulated once per codec, so that a cell costs a short search instead of a look into the zone database.

use arrow_array::timezone::Tz;
use arrow_schema::DataType;
use chrono::{DateTime, Offset, TimeZone};

use super::read::DAY;
use super::types::plain;

const SECOND: i64 = 1_000_000;
pub const HOUR: i64 = 3_600 * SECOND;
/// Zone changes are tabulated from 1950 to 2100, and looked for from week to week.
const FIRST: i64 = -7_305 * DAY;
const LAST: i64 = 47_482 * DAY;
const WEEK: i64 = 7 * DAY;

/// The offset of local time from UTC.
#[derive(Debug, Clone)]
pub enum Zone {
    Fixed(i64),
    /// Offsets from each instant on, in order; the first entry holds before, too. `weeks`: which entry holds at the
    /// start of each week, so that no search is needed (two changes in one week do not occur).
    Named {
        changes: Vec<(i64, i64)>,
        weeks: Vec<u16>,
    },
}

impl Zone {
    pub const UTC: Self = Self::Fixed(0);

    /// A timestamp's own zone; UTC for everything else, and for a zone that is not known.
    pub fn of(data_type: &DataType) -> Self {
        let Some(zone) = parse(data_type) else { return Self::UTC };
        let first = offset(&zone, FIRST);
        let mut changes = vec![(i64::MIN, first)];
        let (mut at, mut current) = (FIRST, first);
        let mut weeks = Vec::new();
        while at < LAST {
            weeks.push(u16::try_from(changes.len() - 1).unwrap_or(u16::MAX));
            let next = offset(&zone, at + WEEK);
            if next != current {
                let (mut before, mut after) = (at, at + WEEK);
                while after - before > SECOND {
                    let middle = before + (after - before) / 2 / SECOND * SECOND;
                    if offset(&zone, middle) == current { before = middle } else { after = middle }
                }
                changes.push((after, next));
                current = next;
            }
            at += WEEK;
        }
        if changes.len() == 1 { Self::Fixed(first) } else { Self::Named { changes, weeks } }
    }

    #[inline]
    pub fn local(&self, micros: i64) -> i64 {
        match self {
            Self::Fixed(offset) => micros.saturating_add(*offset),
            Self::Named { changes, weeks } => {
                let week = micros.saturating_sub(FIRST).div_euclid(WEEK).clamp(0, weeks.len() as i64 - 1);
                let entry = weeks.get(week as usize).map_or(0, |entry| usize::from(*entry));
                let before = changes.get(entry).map_or(0, |change| change.1);
                let offset = changes.get(entry + 1).filter(|next| next.0 <= micros).map_or(before, |next| next.1);
                micros.saturating_add(offset)
            }
        }
    }
}

/// One instant in a type's local time, without a table.
pub fn local_once(data_type: &DataType, micros: i64) -> i64 {
    parse(data_type).map_or(micros, |zone| micros.saturating_add(offset(&zone, micros)))
}

fn parse(data_type: &DataType) -> Option<Tz> {
    match plain(data_type) {
        DataType::Timestamp(_, Some(zone)) => zone.parse().ok(),
        _ => None,
    }
}

fn offset(zone: &Tz, micros: i64) -> i64 {
    // Far outside the calendar there is no summer time to get wrong.
    let Some(instant) = DateTime::from_timestamp_micros(micros) else { return 0 };
    i64::from(zone.offset_from_utc_datetime(&instant.naive_utc()).fix().local_minus_utc()) * SECOND
}

/// Year, month 1..=12, day 1..=31 of a day counted from 1970-01-01.
#[inline]
pub fn civil(day: i64) -> (i64, i64, i64) {
    let shifted = day + 719_468;
    let era = shifted.div_euclid(146_097);
    let of_era = shifted.rem_euclid(146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (year + era * 400 + i64::from(month <= 2), month, day)
}

/// The day of a date, or `None` where there is no such date.
pub fn day_of(year: i64, month: i64, day: i64) -> Option<i64> {
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let shifted = year - i64::from(month <= 2);
    let era = shifted.div_euclid(400);
    let of_era = shifted.rem_euclid(400);
    let of_year = (153 * (if month > 2 { month - 3 } else { month + 9 }) + 2) / 5 + day - 1;
    let counted = era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468;
    // The 31st of a short month becomes another date.
    (civil(counted) == (year, month, day)).then_some(counted)
}

/// A local instant: its day counted from 1970-01-01, and the microseconds since midnight.
#[derive(Debug, Clone, Copy, Default)]
pub struct Local {
    pub day: i64,
    pub micros: u64,
}

impl Local {
    #[inline]
    pub fn of(local: i64) -> Self {
        let day = local.div_euclid(DAY);
        Self { day, micros: local.wrapping_sub(day.wrapping_mul(DAY)).cast_unsigned() }
    }

    /// 0..24.
    #[inline]
    pub fn hour(self) -> u16 {
        (self.micros / HOUR.cast_unsigned()) as u16
    }

    /// Monday 0.
    #[inline]
    pub fn weekday(self) -> u16 {
        (self.day + 3).rem_euclid(7) as u16
    }

    /// January 0 (Neri and Schneider, "Euclidean affine functions", 2023). Every 400 years, 146,097 days, are alike: 800
    /// times as many make all days that microseconds reach (10^8 before and after 1970) positive numbers of 28 bits.
    #[inline]
    pub fn month(self) -> u16 {
        let shifted = (self.day + 719_468 + 800 * 146_097) as u32;
        let of_century = (4 * shifted + 3) % 146_097 / 4;
        let of_year = (2_939_745 * u64::from(4 * of_century + 3)) as u32 / 2_939_745 / 4;
        let month = (2_141 * of_year + 197_913) >> 16;
        (if month > 12 { month - 13 } else { month - 1 }) as u16
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use chrono::{Datelike, Timelike};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_calendar_is_chronos(micros in -100_000 * DAY..100_000 * DAY) {
            let instant = DateTime::from_timestamp_micros(micros).unwrap().naive_utc();
            let (year, month_, day) = civil(micros.div_euclid(DAY));
            prop_assert_eq!((year, month_, day), (i64::from(instant.year()), i64::from(instant.month()), i64::from(instant.day())));
            prop_assert_eq!(day_of(year, month_, day), Some(micros.div_euclid(DAY)));
            prop_assert_eq!(u32::from(Local::of(micros).hour()), instant.hour());
            prop_assert_eq!(u32::from(Local::of(micros).weekday()), instant.weekday().num_days_from_monday());
            prop_assert_eq!(u32::from(Local::of(micros).month()), instant.month0());
        }

        #[test]
        fn a_zones_table_is_the_zone(micros in FIRST..LAST, place in 0_usize..4) {
            let name = ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "+05:30"][place];
            let data_type = DataType::Timestamp(arrow_schema::TimeUnit::Second, Some(name.into()));
            prop_assert_eq!(Zone::of(&data_type).local(micros), local_once(&data_type, micros));
        }
    }

    #[test]
    fn months_reach_as_far_as_microseconds_do() {
        for micros in [i64::MIN, i64::MIN / 2, -1, 0, i64::MAX / 3, i64::MAX] {
            let local = Local::of(micros);
            assert_eq!(i64::from(local.month()), civil(local.day).1 - 1, "{micros}");
        }
    }

    #[test]
    fn there_is_no_thirtieth_of_february() {
        assert_eq!(day_of(2023, 2, 29), None);
        assert_eq!(day_of(2024, 2, 29), Some(19_782));
        assert_eq!(day_of(2024, 13, 1), None);
    }
}
