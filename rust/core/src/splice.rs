//! Scored parquet beside its source: the source's column chunks are copied as they are, new ones join them.
//!
//! Nothing of the source is decoded and encoded again: its row groups, encodings, compression, statistics, page indexes
//! and Bloom filters stay as they were, and a screening pays for the columns that it adds.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use parquet::basic::ColumnOrder;
use parquet::bloom_filter::Sbbf;
use parquet::column::writer::ColumnCloseResult;
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::{PageIndexPolicy, ParquetMetaData, ParquetMetaDataReader};
use parquet::file::page_index::column_index::ColumnIndexMetaData;
use parquet::file::page_index::offset_index::OffsetIndexMetaData;
use parquet::file::properties::{WriterProperties, WriterVersion};
use parquet::file::reader::{ChunkReader, Length};
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::types::{Type, TypePtr};

use crate::error::Error;

/// More row groups than this are not numbered by every reader.
const MOST_GROUPS: usize = 32_000;
/// The new columns of one row group are held until all of its rows are there.
const MOST_ROWS: u64 = 1 << 22;
/// The smallest place of a column chunk: behind the magic bytes.
const FIRST_PLACE: i64 = 4;
/// Bytes that are read and written at once.
const BUFFER: usize = 1 << 17;

/// A file by its footer; it is open while its chunks are copied, since there can be more files than one may have open.
struct Source {
    path: PathBuf,
    length: u64,
    meta: ParquetMetaData,
}

impl Source {
    /// The file, where it can be read and its chunks can be copied.
    fn read(path: &Path) -> Option<Self> {
        let file = File::open(path).ok()?;
        let meta = metadata(&file).ok().filter(|meta| contained(meta, file.len() as i64) && ordered(meta))?;
        Some(Self { path: path.to_owned(), length: file.len(), meta })
    }

    /// The file again; an error where it is another one by now.
    fn open(&self) -> io::Result<File> {
        let file = File::open(&self.path).map_err(|error| unread(&self.path, &error))?;
        if file.len() == self.length {
            return Ok(file);
        }
        let message = format!("{} changed while it was read", self.path.display());
        Err(io::Error::other(Error::input("table-changed", message).hint("run it again when nothing writes to it")))
    }

    fn rows(&self, group: usize) -> u64 {
        self.meta.row_group(group).num_rows() as u64
    }
}

/// A file that is read in larger pieces than `File` as a `ChunkReader`; a failure names it.
struct Pieces<'a> {
    file: &'a File,
    path: &'a Path,
}

impl Length for Pieces<'_> {
    fn len(&self) -> u64 {
        self.file.len()
    }
}

impl ChunkReader for Pieces<'_> {
    type T = BufReader<Named>;

    fn get_read(&self, start: u64) -> Result<Self::T> {
        let from_start = || {
            let mut file = self.file.try_clone()?;
            file.seek(SeekFrom::Start(start)).map(|_| file)
        };
        let file = from_start().map_err(|error| unread(self.path, &error))?;
        Ok(BufReader::with_capacity(BUFFER, Named { file, path: self.path.to_owned() }))
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes> {
        self.file.get_bytes(start, length).map_err(|error| unread(self.path, &to_io(error)).into())
    }
}

/// A file whose failures name it.
struct Named {
    file: File,
    path: PathBuf,
}

impl Read for Named {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.file.read(buffer).map_err(|error| unread(&self.path, &error))
    }
}

/// A parquet file in the making.
pub struct Splice {
    sources: Vec<Source>,
    /// Source and row group of each group that has rows, in order.
    groups: Vec<(usize, usize)>,
    done: usize,
    indexed: bool,
    properties: Arc<WriterProperties>,
    schema: TypePtr,
    writer: Option<SerializedFileWriter<BufWriter<File>>>,
}

impl Splice {
    /// The columns of `paths` and behind them those that `template`, a parquet file without rows, has more. What is
    /// told of the file as a whole (the Arrow schema) is the template's.
    ///
    /// None where chunks cannot be copied: files of different parquet schemas or writers, chunks that lie in other files,
    /// a footer that is not understood, statistics in an order of their own, row groups too large to keep the new columns
    /// of one, or too many.
    pub fn plan(paths: &[impl AsRef<Path>], template: Vec<u8>) -> io::Result<Option<Self>> {
        let sources: Option<Vec<Source>> = paths.iter().map(|path| Source::read(path.as_ref())).collect();
        let Some(sources) = sources else { return Ok(None) };
        let groups: Vec<(usize, usize)> = (sources.iter().enumerate())
            .flat_map(|(at, source)| (0..source.meta.num_row_groups()).map(move |group| (at, group)))
            .filter(|&(at, group)| sources[at].rows(group) > 0)
            .collect();
        let Some(first) = sources.first() else { return Ok(None) };
        let facts = first.meta.file_metadata();
        let alike = sources.iter().map(|other| other.meta.file_metadata()).all(|other| {
            // Readers tell by its writer which statistics of a chunk can be trusted: one footer names one.
            other.schema() == facts.schema() && other.created_by() == facts.created_by()
        });
        let small = groups.iter().all(|&(at, group)| sources[at].rows(group) <= MOST_ROWS);
        if !alike || !small || groups.len() > MOST_GROUPS {
            return Ok(None);
        }
        let template = metadata(&Bytes::from(template)).map_err(to_io)?;
        let whole = template.file_metadata();
        let own = facts.schema().get_fields();
        let fields = [own, whole.schema().get_fields().get(own.len()..).unwrap_or_default()].concat();
        let schema = Type::group_type_builder(facts.schema().name()).with_fields(fields).build().map_err(to_io)?;
        let version = if facts.version() > 1 { WriterVersion::PARQUET_2_0 } else { WriterVersion::PARQUET_1_0 };
        let mut properties = WriterProperties::builder()
            .set_writer_version(version)
            .set_key_value_metadata(whole.key_value_metadata().cloned())
            .set_sorting_columns(sorting(&sources));
        if let Some(by) = facts.created_by() {
            properties = properties.set_created_by(by.to_owned());
        }
        let (properties, schema) = (Arc::new(properties.build()), Arc::new(schema));
        let indexed = sources.iter().all(|source| has_index(&source.meta));
        Ok(Some(Self { sources, groups, done: 0, indexed, properties, schema, writer: None }))
    }

    /// Begins the file at `out`, which exists.
    pub fn start(&mut self, out: &Path) -> io::Result<()> {
        let out = File::options().write(true).truncate(true).open(out)?;
        let writer = SerializedFileWriter::new(
            BufWriter::with_capacity(BUFFER, out),
            self.schema.clone(),
            self.properties.clone(),
        )
        .map_err(to_io)?;
        self.writer = Some(writer);
        Ok(())
    }

    /// Rows of each row group, in order; groups without rows are left out.
    pub fn rows(&self) -> Vec<u64> {
        self.groups.iter().map(|&(at, group)| self.sources[at].rows(group)).collect()
    }

    /// Writes the next row group: the source's columns, and all columns of `added`, a parquet file of one row group
    /// with as many rows and with a page index.
    pub fn add(&mut self, added: Vec<u8>) -> io::Result<()> {
        let added = Bytes::from(added);
        let meta = metadata(&added).map_err(to_io)?;
        let Some(&(at, group)) = self.groups.get(self.done) else { return Err(wrong("a row group too many")) };
        let source = &self.sources[at];
        let Some(writer) = &mut self.writer else { return Err(wrong("the file is not begun")) };
        if meta.num_row_groups() != 1 || meta.row_group(0).num_rows() as u64 != source.rows(group) {
            return Err(wrong("the added row group has other rows than the source's"));
        }
        if self.indexed && !has_index(&meta) {
            return Err(wrong("the added row group has no page index"));
        }
        let file = source.open()?;
        let mut writer = writer.next_row_group().map_err(to_io)?;
        copy(&mut writer, &Pieces { file: &file, path: &source.path }, &source.meta, group, self.indexed)
            .map_err(to_io)?;
        copy(&mut writer, &added, &meta, 0, self.indexed).map_err(to_io)?;
        writer.close().map_err(to_io)?;
        self.done += 1;
        Ok(())
    }

    /// Writes the footer. An error where row groups are missing.
    pub fn finish(self) -> io::Result<()> {
        match self.writer {
            Some(writer) if self.done == self.groups.len() => writer.close().map(drop).map_err(to_io),
            _ => Err(wrong("row groups are missing")),
        }
    }
}

fn metadata<R: ChunkReader>(file: &R) -> Result<ParquetMetaData> {
    ParquetMetaDataReader::new().with_page_index_policy(PageIndexPolicy::Optional).parse_and_finish(file)
}

/// Whether every chunk and its Bloom filter lie in the file itself, where its footer says.
fn contained(meta: &ParquetMetaData, length: i64) -> bool {
    let inside = |start: i64, size: i64| {
        start >= FIRST_PLACE && size >= 0 && start.checked_add(size).is_some_and(|end| end <= length)
    };
    meta.row_groups().iter().flat_map(|group| group.columns()).all(|chunk| {
        let start = chunk.dictionary_page_offset().unwrap_or_else(|| chunk.data_page_offset());
        let filter = chunk.bloom_filter_offset();
        let filter_size = chunk.bloom_filter_length().map_or(0, i64::from);
        chunk.file_path().is_none()
            && inside(start, chunk.compressed_size())
            && filter.is_none_or(|filter| inside(filter, filter_size))
    })
}

/// Whether what is said of the least and the greatest values holds in the order that the new footer names, that of the
/// type. A reader would skip row groups by it.
fn ordered(meta: &ParquetMetaData) -> bool {
    let orders = meta.file_metadata().column_orders();
    meta.row_groups().iter().flat_map(|group| group.columns().iter().enumerate()).all(|(at, chunk)| {
        let of_type = matches!(orders.and_then(|all| all.get(at)), Some(ColumnOrder::TYPE_DEFINED_ORDER(_)));
        of_type || chunk.statistics().is_none_or(|said| said.is_min_max_deprecated() || said.min_bytes_opt().is_none())
    })
}

/// What the rows are sorted by, where all groups agree.
fn sorting(sources: &[Source]) -> Option<Vec<parquet::file::metadata::SortingColumn>> {
    let mut groups = sources.iter().flat_map(|source| source.meta.row_groups()).map(|group| group.sorting_columns());
    let first = groups.next()?;
    if groups.all(|other| other == first) { first.cloned() } else { None }
}

/// Whether every chunk says where its pages are: a footer names the pages of all chunks or of none.
fn has_index(meta: &ParquetMetaData) -> bool {
    let groups = meta.row_groups().iter().enumerate();
    groups.into_iter().all(|(group, own)| (0..own.num_columns()).all(|at| places(meta, group, at).is_some()))
}

fn places(meta: &ParquetMetaData, group: usize, column: usize) -> Option<&OffsetIndexMetaData> {
    let places = meta.offset_index()?.get(group)?.get(column)?;
    Some(places).filter(|places| !places.page_locations.is_empty())
}

fn copy<R: ChunkReader>(
    writer: &mut SerializedRowGroupWriter<'_, BufWriter<File>>,
    file: &R,
    meta: &ParquetMetaData,
    group: usize,
    indexed: bool,
) -> Result<()> {
    let own = meta.row_group(group);
    for (at, chunk) in own.columns().iter().enumerate() {
        let index = meta.column_index().and_then(|all| all.get(group)?.get(at));
        let index = index.filter(|index| !matches!(index, ColumnIndexMetaData::NONE));
        let close = ColumnCloseResult {
            bytes_written: chunk.compressed_size() as u64,
            rows_written: own.num_rows() as u64,
            metadata: chunk.clone(),
            bloom_filter: Sbbf::read_from_column_chunk(chunk, file)?,
            column_index: index.filter(|_| indexed).cloned(),
            offset_index: places(meta, group, at).filter(|_| indexed).cloned(),
        };
        writer.append_column(file, close)?;
    }
    Ok(())
}

fn wrong(message: &str) -> io::Error {
    io::Error::other(message.to_owned())
}

/// What a caller may tell from a failure to write: it is an `Error` of the input inside.
fn unread(path: &Path, error: &io::Error) -> io::Error {
    let said = error.to_string();
    let reason = said.split(" (os error").next().unwrap_or(&said);
    io::Error::other(Error::input("table-unreadable", format!("cannot read {}: {reason}", path.display())))
}

/// The failure of the system where it was one.
fn to_io(error: ParquetError) -> io::Error {
    match error {
        ParquetError::External(cause) => match cause.downcast::<io::Error>() {
            Ok(cause) => *cause,
            Err(cause) => io::Error::other(cause),
        },
        other => io::Error::other(other),
    }
}

#[cfg(test)]
mod tests {
    use parquet::basic::{Repetition, SortOrder, Type as Physical};
    use parquet::file::metadata::{
        ColumnChunkMetaData, ColumnChunkMetaDataBuilder, FileMetaData, ParquetMetaDataBuilder, RowGroupMetaData,
    };
    use parquet::file::statistics::Statistics;
    use parquet::schema::types::{SchemaDescPtr, SchemaDescriptor};

    use super::*;

    fn schema() -> SchemaDescPtr {
        let column = Type::primitive_type_builder("a", Physical::DOUBLE).with_repetition(Repetition::REQUIRED).build();
        let fields = vec![Arc::new(column.unwrap_or_else(|error| unreachable!("{error}")))];
        let root = Type::group_type_builder("schema").with_fields(fields).build();
        Arc::new(SchemaDescriptor::new(Arc::new(root.unwrap_or_else(|error| unreachable!("{error}")))))
    }

    /// A footer of one chunk of 50 bytes at 10.
    fn footer(
        orders: Option<Vec<ColumnOrder>>,
        change: impl Fn(ColumnChunkMetaDataBuilder) -> ColumnChunkMetaDataBuilder,
    ) -> ParquetMetaData {
        let chunk = ColumnChunkMetaData::builder(schema().column(0)).set_data_page_offset(10);
        let chunk = change(chunk.set_total_compressed_size(50)).build().unwrap_or_else(|error| unreachable!("{error}"));
        let group = RowGroupMetaData::builder(schema()).add_column_metadata(chunk).set_num_rows(3).build();
        let group = group.unwrap_or_else(|error| unreachable!("{error}"));
        ParquetMetaDataBuilder::new(FileMetaData::new(2, 3, None, None, schema(), orders)).add_row_group(group).build()
    }

    #[test]
    fn chunks_lie_in_their_file() {
        assert!(contained(&footer(None, |chunk| chunk), 60));
        assert!(!contained(&footer(None, |chunk| chunk), 59));
        assert!(!contained(&footer(None, |chunk| chunk.set_dictionary_page_offset(Some(0))), 60));
        assert!(!contained(&footer(None, |chunk| chunk.set_total_compressed_size(-1)), 60));
        assert!(!contained(&footer(None, |chunk| chunk.set_total_compressed_size(i64::MAX)), 60));
        assert!(!contained(&footer(None, |chunk| chunk.set_file_path("elsewhere".to_owned())), 60));
        let filter = |size| {
            move |chunk: ColumnChunkMetaDataBuilder| {
                chunk.set_bloom_filter_offset(Some(40)).set_bloom_filter_length(Some(size))
            }
        };
        assert!(contained(&footer(None, filter(20)), 60));
        assert!(!contained(&footer(None, filter(21)), 60));
        assert!(!contained(&footer(None, filter(-1)), 60));
    }

    #[test]
    fn least_and_greatest_values_are_in_the_order_of_the_type() {
        let of_type = Some(vec![ColumnOrder::TYPE_DEFINED_ORDER(SortOrder::SIGNED)]);
        let said = |old| {
            move |chunk: ColumnChunkMetaDataBuilder| {
                chunk.set_statistics(Statistics::double(Some(1.0), Some(2.0), None, Some(0), old))
            }
        };
        assert!(ordered(&footer(of_type, said(false))));
        assert!(!ordered(&footer(Some(vec![ColumnOrder::UNKNOWN]), said(false))));
        assert!(!ordered(&footer(None, said(false))));
        // Readers do not trust what old writers said either, and see that it is theirs.
        assert!(ordered(&footer(None, said(true))));
        assert!(ordered(&footer(None, |chunk| chunk)));
    }
}
