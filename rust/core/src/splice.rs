//! Scored parquet beside its source: the source's column chunks are copied as they are, new ones join them.
//!
//! Nothing of the source is decoded and encoded again: its row groups, encodings, compression, statistics, page indexes
//! and Bloom filters stay as they were, and a screening pays for the columns that it adds.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use parquet::basic::ColumnOrder;
use parquet::bloom_filter::Sbbf;
use parquet::column::writer::ColumnCloseResult;
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::{ColumnChunkMetaData, PageIndexPolicy, ParquetMetaData, ParquetMetaDataReader};
use parquet::file::page_index::column_index::ColumnIndexMetaData;
use parquet::file::page_index::offset_index::OffsetIndexMetaData;
use parquet::file::properties::{WriterProperties, WriterVersion};
use parquet::file::reader::{ChunkReader, Length};
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::types::{Type, TypePtr};

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
}

/// Where a file is, and how long it was.
struct Place {
    path: PathBuf,
    length: u64,
}

impl Place {
    /// The file again; an error where it is another one by now.
    fn open(&self) -> io::Result<File> {
        let file = File::open(&self.path)?;
        if file.len() == self.length { Ok(file) } else { Err(wrong("the table changed while it was read")) }
    }
}

/// What a footer says of one row group: let go of when its chunks are copied, while what is said of the copies grows.
struct Group {
    source: usize,
    rows: u64,
    chunks: Vec<ColumnChunkMetaData>,
    /// Of each chunk; nothing where the file has no page indexes.
    pages: Vec<ColumnIndexMetaData>,
    places: Vec<OffsetIndexMetaData>,
}

fn groups(meta: ParquetMetaData, source: usize) -> impl Iterator<Item = Group> {
    let mut parts = meta.into_builder();
    let mut pages = parts.take_column_index().unwrap_or_default().into_iter();
    let mut places = parts.take_offset_index().unwrap_or_default().into_iter();
    parts.take_row_groups().into_iter().map(move |group| Group {
        source,
        rows: group.num_rows() as u64,
        chunks: group.into_builder().take_columns(),
        pages: pages.next().unwrap_or_default(),
        places: places.next().unwrap_or_default(),
    })
}

/// A file that is read in larger pieces than `File` as a `ChunkReader`.
struct Pieces<'a>(&'a File);

impl Length for Pieces<'_> {
    fn len(&self) -> u64 {
        self.0.len()
    }
}

impl ChunkReader for Pieces<'_> {
    type T = BufReader<File>;

    fn get_read(&self, start: u64) -> Result<Self::T> {
        let mut file = self.0.try_clone()?;
        file.seek(SeekFrom::Start(start))?;
        Ok(BufReader::with_capacity(BUFFER, file))
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes> {
        self.0.get_bytes(start, length)
    }
}

/// A parquet file in the making.
pub struct Splice {
    places: Vec<Place>,
    /// Row groups that are still to come, in order.
    groups: VecDeque<Group>,
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
        let Some(first) = sources.first() else { return Ok(None) };
        let facts = first.meta.file_metadata();
        let alike = sources.iter().map(|other| other.meta.file_metadata()).all(|other| {
            // Readers tell by its writer which statistics of a chunk can be trusted: one footer names one.
            other.schema() == facts.schema() && other.created_by() == facts.created_by()
        });
        let rows = || sources.iter().flat_map(|source| source.meta.row_groups()).map(|group| group.num_rows() as u64);
        if !alike || rows().any(|rows| rows > MOST_ROWS) || rows().filter(|&rows| rows > 0).count() > MOST_GROUPS {
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
        let (mut places, mut rest) = (Vec::with_capacity(sources.len()), VecDeque::new());
        for (at, Source { path, length, meta }) in sources.into_iter().enumerate() {
            places.push(Place { path, length });
            rest.extend(groups(meta, at).filter(|group| group.rows > 0));
        }
        Ok(Some(Self { places, groups: rest, indexed, properties, schema, writer: None }))
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

    /// Rows of each row group that is still to come, in order; groups without rows are left out.
    pub fn rows(&self) -> Vec<u64> {
        self.groups.iter().map(|group| group.rows).collect()
    }

    /// Writes the next row group: the source's columns, and all columns of `added`, a parquet file of one row group
    /// with as many rows and with a page index.
    pub fn add(&mut self, added: Vec<u8>) -> io::Result<()> {
        let added = Bytes::from(added);
        let meta = metadata(&added).map_err(to_io)?;
        let Some(writer) = &mut self.writer else { return Err(wrong("the file is not begun")) };
        let Some(rows) = self.groups.front().map(|group| group.rows) else { return Err(wrong("a row group too many")) };
        if meta.num_row_groups() != 1 || meta.row_group(0).num_rows() as u64 != rows {
            return Err(wrong("the added row group has other rows than the source's"));
        }
        if self.indexed && !has_index(&meta) {
            return Err(wrong("the added row group has no page index"));
        }
        let mut writer = writer.next_row_group().map_err(to_io)?;
        if let Some(own) = self.groups.pop_front() {
            let file = self.places[own.source].open()?;
            copy(&mut writer, &Pieces(&file), own, self.indexed).map_err(to_io)?;
        }
        for new in groups(meta, 0) {
            copy(&mut writer, &added, new, self.indexed).map_err(to_io)?;
        }
        writer.close().map(drop).map_err(to_io)
    }

    /// Writes the footer. An error where row groups are missing.
    pub fn finish(self) -> io::Result<()> {
        match self.writer {
            Some(writer) if self.groups.is_empty() => writer.close().map(drop).map_err(to_io),
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
    group: Group,
    indexed: bool,
) -> Result<()> {
    let (mut pages, mut places) = (group.pages.into_iter(), group.places.into_iter());
    for chunk in group.chunks {
        let (pages, places) = (pages.next(), places.next());
        let pages = pages.filter(|pages| !matches!(pages, ColumnIndexMetaData::NONE));
        let close = ColumnCloseResult {
            bytes_written: chunk.compressed_size() as u64,
            rows_written: group.rows,
            bloom_filter: Sbbf::read_from_column_chunk(&chunk, file)?,
            metadata: chunk,
            column_index: pages.filter(|_| indexed),
            offset_index: places.filter(|_| indexed),
        };
        writer.append_column(file, close)?;
    }
    Ok(())
}

fn wrong(message: &str) -> io::Error {
    io::Error::other(message.to_owned())
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
    use parquet::file::metadata::{ColumnChunkMetaDataBuilder, FileMetaData, ParquetMetaDataBuilder, RowGroupMetaData};
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
