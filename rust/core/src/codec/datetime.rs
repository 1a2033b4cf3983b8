//! Dates, timestamps, times of day, and texts that are dates. One number dim (the position on the time axis), its
//! status, and hour, weekday and month in the column's zone where they vary.
//!
//! A value up to one span outside the training range stands inside it, so many whole days, weeks or years away that hour, weekday
//! and month are what they were there: a later day is not odd by itself; only the excess beyond counts. Instants are i64 microseconds; zoneless ones are taken as they are. A text that is no date
//! has status NaN and unseen hour, weekday and month. A decoded hour is that of the position.

use std::ops::Range;

use arrow_array::{Array, ArrayRef};
use serde_json::{Value, json};

use super::calendar::{HOUR, Local, Zone};
use super::date_text::{self, Clock, Layout, Order, SEPARATORS};
use super::manifest::Fields;
use super::read::{self, DAY, Rows, Strings};
use super::scale::Scale;
use super::state::refused;
use super::types::{Family, family};
use super::{CHUNK, Cells, Column, Kind, Out, Spec, build, show};
use crate::block::{FIRST_VALUE, MISSING, NAN, NULL, OTHER, PRESENT, Part, STATUS_CODES};
use crate::error::Result;
use crate::store::Store;

/// Spans below which a weekday or a month says no more than the position, and a later month would be one never seen.
const WEEK: i64 = 7 * DAY;
const YEAR: i64 = 365 * DAY;
/// A value outside the training range stands so much of the span inside its edges, where rows have others on both sides.
const MARGIN: i64 = 20;
/// Grids that decoded instants may lie on, coarsest first.
const STEPS: [i64; 6] = [DAY, HOUR, 60_000_000, 1_000_000, 1_000, 1];

#[derive(Debug, Clone)]
pub struct Datetime {
    pub(super) column: Column,
    /// Training range, and the grid all training values lie on.
    low: i64,
    high: i64,
    step: i64,
    /// Of microseconds after `low`.
    scale: Scale,
    zone: Zone,
    layout: Option<Layout>,
    hour: bool,
    weekday: bool,
    month: bool,
}

#[derive(Debug)]
pub struct Source<'a> {
    codec: &'a Datetime,
    values: Instants<'a>,
}

#[derive(Debug)]
enum Instants<'a> {
    Rows(Rows<i64>),
    Texts(Strings<'a>, Order),
}

/// A cell that is an instant, is null, or is a text that is no date.
enum Cell {
    Instant(i64),
    Null,
    Unreadable,
}

impl Datetime {
    pub fn fit(column: Column, training: &dyn Array) -> Result<Self> {
        let layout = match family(&column.data_type) {
            Some(Family::Text) => {
                let strings = Strings::new(training)?;
                let layout = date_text::detect(&strings.iter().flatten().collect::<Vec<_>>());
                Some(layout.ok_or_else(|| refused(&column, Kind::Datetime, "its values are not dates of one layout"))?)
            }
            _ => None,
        };
        let zone = zone(&column, layout);
        let instants = Instants::new(&column, layout, training)?;
        let values: Vec<i64> = (0..instants.len())
            .filter_map(|row| match instants.cell(row) {
                Cell::Instant(micros) => Some(micros),
                Cell::Null | Cell::Unreadable => None,
            })
            .collect();
        let (low, high) = (values.iter().min().copied().unwrap_or(0), values.iter().max().copied().unwrap_or(0));
        let step = STEPS.into_iter().find(|step| values.iter().all(|value| value % step == 0)).unwrap_or(1);
        let positions: Vec<f64> = values.iter().map(|value| value.saturating_sub(low) as f64).collect();
        let varies = |part: fn(Local) -> u16| {
            let mut parts = values.iter().map(|value| part(Local::of(zone.local(*value))));
            let first = parts.next();
            parts.any(|part| Some(part) != first)
        };
        let span = high.saturating_sub(low);
        let dated = is_dated(&column);
        let timed = match layout {
            Some(layout) => layout.clock != Clock::None,
            None => family(&column.data_type) != Some(Family::Date),
        };
        Ok(Self {
            hour: timed && varies(Local::hour),
            weekday: dated && span >= WEEK && varies(Local::weekday),
            month: dated && span >= YEAR && varies(Local::month),
            scale: Scale::fit(&positions),
            column,
            low,
            high,
            step,
            zone,
            layout,
        })
    }

    pub fn specs(&self) -> Vec<Spec> {
        let mut specs = vec![Spec::number(Part::Position), Spec::category(Part::Status, STATUS_CODES)];
        let parts = [(self.hour, Part::Hour, 24), (self.weekday, Part::Weekday, 7), (self.month, Part::Month, 12)];
        let present = parts.into_iter().filter(|part| part.0);
        specs.extend(present.map(|(_, part, count)| Spec::category(part, FIRST_VALUE + count)));
        specs
    }

    pub fn summary(&self) -> String {
        format!("{} to {}", self.text(self.low), self.text(self.high))
    }

    pub fn open<'a>(&'a self, array: &'a dyn Array) -> Result<Source<'a>> {
        Ok(Source { codec: self, values: Instants::new(&self.column, self.layout, array)? })
    }

    #[inline]
    fn position(&self, micros: i64) -> f64 {
        let span = self.high.saturating_sub(self.low);
        let (after, before) = (micros.saturating_sub(self.high), self.low.saturating_sub(micros));
        if after > span {
            span as f64 + (after - span) as f64
        } else if before > span {
            -((before - span) as f64)
        } else {
            let inside = if after > 0 || before > 0 { self.repeated(micros) } else { micros };
            inside.saturating_sub(self.low) as f64
        }
    }

    /// The last (first) instant of the training range, less a margin, that has the hour, the weekday and (within days) the month
    /// of one outside, as far as those are told.
    fn repeated(&self, micros: i64) -> i64 {
        let period = if self.month {
            52 * WEEK
        } else if self.weekday {
            WEEK
        } else if is_dated(&self.column) {
            DAY
        } else {
            1
        };
        let margin = self.high.saturating_sub(self.low) / MARGIN;
        let periods = |away: i64| away.saturating_add(margin + period - 1) / period * period;
        let inside = if micros > self.high {
            micros.saturating_sub(periods(micros - self.high))
        } else {
            micros.saturating_add(periods(self.low - micros))
        };
        inside.clamp(self.low, self.high)
    }

    /// The instant of an encoded position, on the grid of the training values and within their range.
    fn instant(&self, x: f32) -> i64 {
        let steps = (self.scale.invert(x) / self.step as f64).round() as i64;
        self.low.saturating_add(steps.saturating_mul(self.step)).clamp(self.low, self.high)
    }

    fn text(&self, micros: i64) -> String {
        match self.layout {
            Some(layout) => layout.write(self.zone.local(micros)),
            None => show::instant(micros, &self.column.data_type),
        }
    }

    pub fn show_number(&self, x: f32) -> String {
        self.text(self.instant(x))
    }

    pub(super) fn decode(&self, cells: Cells<'_>) -> Result<ArrayRef> {
        let instant = |row| (cells.category(row, 0) == PRESENT).then(|| self.instant(cells.number(row, 0)));
        match self.layout {
            Some(_) => {
                let texts: Vec<_> = cells.rows().map(|row| instant(row).map(|micros| self.text(micros))).collect();
                build::strings(&texts, &self.column.data_type)
            }
            None => build::instants(&cells.rows().map(instant).collect::<Vec<_>>(), &self.column.data_type),
        }
    }

    pub fn write(&self, store: &mut Store, prefix: &str) -> Value {
        store.put_f64(format!("{prefix}.scale"), vec![self.scale.mean, self.scale.std]);
        store.put_i64(format!("{prefix}.range"), vec![self.low, self.high, self.step]);
        let layout = self.layout.map(|layout| {
            json!({
                "order": layout.order.name(), "separator": layout.separator.to_string(), "padded": layout.padded, "marked": layout.marked,
                "clock": layout.clock as u8, "fraction": layout.fraction, "offset": layout.offset,
            })
        });
        let mut value = json!({ "hour": self.hour, "weekday": self.weekday, "month": self.month });
        if let Some(layout) = layout {
            value["layout"] = layout;
        }
        value
    }

    pub fn read(column: Column, fields: Fields<'_>, store: &Store, prefix: &str) -> Result<Self> {
        let layout = match family(&column.data_type) {
            Some(Family::Text) => Some(read_layout(fields)?),
            Some(Family::Date | Family::Timestamp | Family::TimeOfDay) => None,
            _ => return Err(fields.damaged("type")),
        };
        let &[mean, std] = store.get_finite(&format!("{prefix}.scale"), 2)? else {
            return Err(fields.damaged("scale"));
        };
        let &[low, high, step] = store.get_i64(&format!("{prefix}.range"))? else {
            return Err(fields.damaged("range"));
        };
        if low > high || !STEPS.contains(&step) {
            return Err(fields.damaged("range"));
        }
        Ok(Self {
            scale: Scale::checked(mean, std).ok_or_else(|| fields.damaged("scale"))?,
            zone: zone(&column, layout),
            hour: fields.flag("hour")?,
            weekday: fields.flag("weekday")?,
            month: fields.flag("month")?,
            column,
            low,
            high,
            step,
            layout,
        })
    }
}

/// Not a time of day.
fn is_dated(column: &Column) -> bool {
    family(&column.data_type) != Some(Family::TimeOfDay)
}

fn zone(column: &Column, layout: Option<Layout>) -> Zone {
    match layout {
        Some(layout) => Zone::Fixed(i64::from(layout.offset.unwrap_or(0)) * 60_000_000),
        None => Zone::of(&column.data_type),
    }
}

fn read_layout(fields: Fields<'_>) -> Result<Layout> {
    let layout = fields.object("layout")?;
    let (order, separator) = (layout.text("order")?, layout.text("separator")?);
    let clock = match layout.small("clock", 2)? {
        Some(0) => Clock::None,
        Some(1) => Clock::Minutes,
        Some(_) => Clock::Seconds,
        None => return Err(layout.damaged("clock")),
    };
    Ok(Layout {
        order: Order::ALL.into_iter().find(|known| known.name() == order).ok_or_else(|| layout.damaged("order"))?,
        separator: SEPARATORS
            .into_iter()
            .find(|known| separator == known.to_string())
            .ok_or_else(|| layout.damaged("separator"))?,
        padded: layout.flag("padded")?,
        marked: layout.flag("marked")?,
        clock,
        fraction: layout.small("fraction", 9)?.map_or(0, |digits| digits as u8),
        offset: layout.signed("offset", 24 * 60)?,
    })
}

impl<'a> Instants<'a> {
    fn new(column: &Column, layout: Option<Layout>, array: &'a dyn Array) -> Result<Self> {
        Ok(match layout {
            Some(layout) => Self::Texts(Strings::new(array)?, layout.order),
            None => {
                debug_assert!(family(&column.data_type) != Some(Family::Text));
                Self::Rows(read::instants(array)?)
            }
        })
    }

    fn len(&self) -> usize {
        match self {
            Self::Rows(rows) => rows.len(),
            Self::Texts(strings, _) => strings.len(),
        }
    }

    #[inline]
    fn cell(&self, row: usize) -> Cell {
        match self {
            Self::Rows(rows) => rows.get(row).map_or(Cell::Null, Cell::Instant),
            Self::Texts(strings, order) => match strings.get(row) {
                None => Cell::Null,
                Some(text) => date_text::parse(text, *order).map_or(Cell::Unreadable, |parsed| Cell::Instant(parsed.0)),
            },
        }
    }
}

impl Source<'_> {
    pub(super) fn encode(&self, rows: Range<usize>, out: &mut Out<'_, '_>) {
        let codec = self.codec;
        let (mut positions, mut x) = ([0.0; CHUNK], [0.0; CHUNK]);
        let (mut locals, mut statuses) = ([Local::default(); CHUNK], [PRESENT; CHUNK]);
        for start in rows.clone().step_by(CHUNK) {
            let part = start..rows.end.min(start + CHUNK);
            let (to, count) = (start - rows.start, part.len());
            let mut read = |place: usize, cell: Cell| {
                (positions[place], locals[place], statuses[place]) = match cell {
                    Cell::Instant(micros) => (codec.position(micros), Local::of(codec.zone.local(micros)), PRESENT),
                    Cell::Null => (0.0, Local::default(), NULL),
                    Cell::Unreadable => (0.0, Local::default(), NAN),
                };
            };
            match &self.values {
                Instants::Rows(Rows { values, nulls: None }) => {
                    values[part].iter().enumerate().for_each(|(place, &micros)| read(place, Cell::Instant(micros)));
                }
                values => part.enumerate().for_each(|(place, row)| read(place, values.cell(row))),
            }
            codec.scale.apply_all(&positions[..count], None, &mut x[..count]);
            let absent = x.iter_mut().zip(statuses).filter(|(_, status)| *status != PRESENT);
            absent.for_each(|(x, _)| *x = 0.0);
            out.numbers(to, 0, &x[..count]);
            out.categories(to, 0, statuses[..count].iter().copied());
            let mut part = 1;
            let mut write = |present: bool, of: fn(Local) -> u16| {
                if present {
                    let code = |(local, status): (&Local, &u16)| match *status {
                        PRESENT => FIRST_VALUE + of(*local),
                        NULL => MISSING,
                        _ => OTHER,
                    };
                    out.categories(to, part, locals[..count].iter().zip(&statuses).map(code));
                    part += 1;
                }
            };
            write(codec.hour, Local::hour);
            write(codec.weekday, Local::weekday);
            write(codec.month, Local::month);
        }
    }
}
