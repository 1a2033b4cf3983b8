//! What a network is beside its weights, as JSON and as bounds that a stranger's file must keep.

use serde_json::{Value, json};

use crate::error::{Error, Result};

const FORMAT: u64 = 4;
const MOST_WIDTH: usize = 4096;
const MOST_BLOCKS: usize = 64;
const MOST_PROBES: usize = 16;
const MOST_KNOTS: usize = 4096;
const MOST_PIECES: usize = 256;
const MOST_ATOM_CODES: u16 = 4096;
const MOST_LABELS: usize = 65_535;
const MOST_FEATURES: usize = 65_536;
/// Codes of all categories together.
const MOST_CODES: usize = 4_000_000;

/// The rows that a network reads: numbers first, then categories.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Shape {
    /// Codes per category [C].
    pub sizes: Vec<u16>,
    /// Per number the category that says whether it is there [N].
    pub status_of_number: Vec<usize>,
    /// Per feature its table column [F]; only which features share one matters.
    pub column_of_feature: Vec<usize>,
}

impl Shape {
    /// N.
    pub fn numbers(&self) -> usize {
        self.status_of_number.len()
    }

    /// C.
    pub fn categories(&self) -> usize {
        self.sizes.len()
    }

    /// S.
    pub fn codes(&self) -> usize {
        self.sizes.iter().map(|&size| usize::from(size)).sum()
    }

    /// Table columns numbered 0, 1, 2 in their order, without gaps.
    #[must_use]
    pub fn renumbered(&self) -> Self {
        let mut columns = self.column_of_feature.clone();
        columns.sort_unstable();
        columns.dedup();
        let place = |column: &usize| columns.partition_point(|other| other < column);
        Self { column_of_feature: self.column_of_feature.iter().map(place).collect(), ..self.clone() }
    }

    /// P of a renumbered shape.
    pub(super) fn columns(&self) -> usize {
        self.column_of_feature.iter().max().map_or(0, |&column| column + 1)
    }

    /// Where the codes of each category start among all codes [C].
    pub fn offsets(&self) -> Vec<usize> {
        offsets(self.sizes.iter().copied())
    }

    fn check(&self) -> std::result::Result<(), &'static str> {
        let (numbers, categories) = (self.numbers(), self.categories());
        if numbers > MOST_FEATURES || categories > MOST_FEATURES || self.codes() > MOST_CODES {
            return Err("sizes");
        }
        if self.sizes.contains(&0) {
            return Err("sizes");
        }
        if self.status_of_number.iter().any(|&status| status >= categories) {
            return Err("status");
        }
        if self.column_of_feature.len() != numbers + categories || self.column_of_feature.is_empty() {
            return Err("columns");
        }
        if *self != self.renumbered() {
            return Err("columns");
        }
        Ok(())
    }
}

/// Where the codes of categories of these sizes start among all codes.
pub(super) fn offsets(sizes: impl Iterator<Item = u16>) -> Vec<usize> {
    let mut end = 0;
    let start = |size: u16| {
        let start = end;
        end += usize::from(size);
        start
    };
    sizes.map(start).collect()
}

/// What corruption does to a category; matters to generation only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Masked,
    Multinomial,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Masked => "masked",
            Self::Multinomial => "multinomial",
        }
    }

    fn parse(name: &str) -> Option<Self> {
        [Self::Masked, Self::Multinomial].into_iter().find(|kind| kind.name() == name)
    }
}

/// Everything but the weights.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Config {
    pub shape: Shape,
    pub width: usize,
    pub blocks: usize,
    pub kind: Kind,
    /// Labels; label `classes` stands for none.
    pub classes: usize,
    /// The label that energies are computed under.
    pub scored_label: usize,
    pub probes: usize,
    /// The first so many probes are joint.
    pub joint: usize,
    /// Known values per number of the scale.
    pub knots: usize,
    /// Pieces that a number is told in.
    pub pieces: usize,
    /// Numbers whose values may be atoms, codes of their own that generation alone draws and energies do not see, and
    /// how many codes each has (0 for none of them).
    pub atoms: Vec<(usize, u16)>,
}

impl Config {
    /// Codes of the file: those of the rows, then those of the atoms.
    pub fn codes(&self) -> usize {
        self.shape.codes() + self.atoms.iter().map(|&(_, size)| usize::from(size)).sum::<usize>()
    }

    /// A, of the number that has most.
    pub fn most_atoms(&self) -> usize {
        self.atoms.iter().map(|&(_, size)| usize::from(size)).max().unwrap_or(1) - 1
    }

    pub fn write(&self) -> Value {
        json!({
            "format": FORMAT,
            "sizes": self.shape.sizes,
            "status": self.shape.status_of_number,
            "columns": self.shape.column_of_feature,
            "width": self.width,
            "blocks": self.blocks,
            "categories": self.kind.name(),
            "classes": self.classes,
            "scored_label": self.scored_label,
            "probes": self.probes,
            "joint": self.joint,
            "knots": self.knots,
            "pieces": self.pieces,
            "atoms": self.atoms.iter().map(|&(number, _)| number).collect::<Vec<_>>(),
            "atom_sizes": self.atoms.iter().map(|&(_, size)| size).collect::<Vec<_>>(),
        })
    }

    pub fn read(value: &Value) -> Result<Self> {
        if value["format"].as_u64() != Some(FORMAT) {
            let found = &value["format"];
            return Err(Error::model_file(format!("the network has format {found}, this tabad reads format {FORMAT}"))
                .hint("fit the model again, or install the tabad that wrote it"));
        }
        let list = |key: &str| -> Result<Vec<usize>> {
            let items = value[key].as_array().ok_or_else(|| damaged(key))?;
            items.iter().map(|item| integer(item).ok_or_else(|| damaged(key))).collect()
        };
        let size = |key: &str, least: usize, most: usize| -> Result<usize> {
            integer(&value[key]).filter(|found| (least..=most).contains(found)).ok_or_else(|| damaged(key))
        };
        let sizes = list("sizes")?.into_iter().map(u16::try_from).collect::<std::result::Result<_, _>>();
        let shape = Shape {
            sizes: sizes.map_err(|_| damaged("sizes"))?,
            status_of_number: list("status")?,
            column_of_feature: list("columns")?,
        };
        shape.check().map_err(damaged)?;
        let (of_number, atom_sizes) = (list("atoms")?, list("atom_sizes")?);
        let is_atom = |(number, size): (&usize, &usize)| {
            let size = u16::try_from(*size).ok().filter(|size| (2..=MOST_ATOM_CODES).contains(size))?;
            (*number < shape.numbers()).then_some((*number, size))
        };
        let atoms: Option<Vec<_>> = of_number.iter().zip(&atom_sizes).map(is_atom).collect();
        let atoms = atoms.filter(|found| found.len() == of_number.len() && found.len() == atom_sizes.len());
        let atoms = atoms.filter(|found| found.is_sorted_by(|(one, _), (next, _)| one < next));
        let classes = size("classes", 0, MOST_LABELS)?;
        let probes = size("probes", 1, MOST_PROBES)?;
        Ok(Self {
            shape,
            width: size("width", 1, MOST_WIDTH)?,
            blocks: size("blocks", 0, MOST_BLOCKS)?,
            kind: value["categories"].as_str().and_then(Kind::parse).ok_or_else(|| damaged("categories"))?,
            classes,
            scored_label: size("scored_label", 0, classes)?,
            probes,
            joint: size("joint", 0, probes - 1)?,
            knots: size("knots", 1, MOST_KNOTS)?,
            pieces: size("pieces", 1, MOST_PIECES)?,
            atoms: atoms.ok_or_else(|| damaged("atoms"))?,
        })
    }
}

fn integer(value: &Value) -> Option<usize> {
    value.as_u64().and_then(|number| usize::try_from(number).ok())
}

fn damaged(key: &str) -> Error {
    Error::model_file(format!("the network's `{key}` is damaged"))
}
