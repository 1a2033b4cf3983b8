//! Few labels: rows of which somebody said that they are anomalies, or normal. All of them are kept, however large the table.

use arrow_array::{Array, RecordBatch, UInt32Array};

use crate::encoder::label_values;
use crate::error::{Error, Result, list_names};
use crate::sample::Sampler;

/// Labelled rows kept at most.
const MOST_ROWS: usize = 10_000;

const ANOMALY: [&str; 6] = ["anomaly", "true", "1", "1.0", "yes", "fraud"];
const NORMAL: [&str; 6] = ["normal", "false", "0", "0.0", "no", "ok"];

/// Some(true) for an anomaly, Some(false) for a normal row, None where nothing was said.
fn verdict(text: Option<&str>) -> std::result::Result<Option<bool>, String> {
    let text = text.unwrap_or_default().trim().to_lowercase();
    match text.as_str() {
        "" => Ok(None),
        said if ANOMALY.contains(&said) => Ok(Some(true)),
        said if NORMAL.contains(&said) => Ok(Some(false)),
        said => Err(said.to_owned()),
    }
}

/// Collects the labelled rows of a stream.
#[derive(Debug)]
pub struct Collector {
    column: usize,
    name: String,
    rows: Sampler,
}

/// The labelled rows of a table.
pub struct Feedback {
    pub anomalies: RecordBatch,
    pub normals: RecordBatch,
}

impl Collector {
    pub fn new(column: usize, name: String, seed: u64) -> Self {
        Self { column, name, rows: Sampler::new(MOST_ROWS, seed) }
    }

    pub fn observe(&mut self, batch: &RecordBatch) -> Result<()> {
        let verdicts = verdicts(batch, self.column, &self.name)?;
        self.rows.observe(&take(batch, &verdicts, |verdict| verdict.is_some())?)
    }

    /// The labelled rows, and the others of a sample.
    pub fn finish(self, sample: &RecordBatch) -> Result<(Feedback, RecordBatch)> {
        let Self { column, name, rows } = self;
        let unlabelled = take(sample, &verdicts(sample, column, &name)?, |verdict| verdict.is_none())?;
        let rows = rows.finish()?.unwrap_or_else(|| sample.slice(0, 0));
        let verdicts = verdicts(&rows, column, &name)?;
        let anomalies = take(&rows, &verdicts, |verdict| verdict == Some(true))?;
        let normals = take(&rows, &verdicts, |verdict| verdict == Some(false))?;
        Ok((Feedback { anomalies, normals }, unlabelled))
    }
}

/// What the feedback column says of every row.
fn verdicts(batch: &RecordBatch, column: usize, name: &str) -> Result<Vec<Option<bool>>> {
    if batch.column(column).null_count() == batch.num_rows() {
        return Ok(vec![None; batch.num_rows()]);
    }
    let mut unknown: Vec<String> = Vec::new();
    let mut found = Vec::with_capacity(batch.num_rows());
    for text in label_values(batch, column)? {
        found.push(verdict(text.as_deref()).unwrap_or_else(|said| {
            if !unknown.contains(&said) {
                unknown.push(said);
            }
            None
        }));
    }
    if unknown.is_empty() {
        return Ok(found);
    }
    let message = format!("feedback column `{}` says {}", name, list_names(&unknown));
    Err(Error::input("feedback-value", message)
        .hint("a row is anomaly (true, 1, yes, fraud), normal (false, 0, no, ok), or empty where nobody looked"))
}

fn take(batch: &RecordBatch, verdicts: &[Option<bool>], which: fn(Option<bool>) -> bool) -> Result<RecordBatch> {
    let rows = (0..batch.num_rows()).filter(|&row| which(verdicts[row])).map(|row| row as u32);
    Ok(arrow_select::take::take_record_batch(batch, &UInt32Array::from_iter_values(rows))?)
}

#[cfg(test)]
mod tests {
    use super::verdict;

    #[test]
    fn words_for_an_anomaly_and_for_a_normal_row() {
        assert_eq!(verdict(Some(" Fraud ")), Ok(Some(true)));
        assert_eq!(verdict(Some("0")), Ok(Some(false)));
        assert_eq!(verdict(Some("")), Ok(None));
        assert_eq!(verdict(None), Ok(None));
        assert_eq!(verdict(Some("maybe")), Err("maybe".to_owned()));
    }
}
