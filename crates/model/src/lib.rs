//! What `train` writes and `serve` and `deploy` read.
//!
//! Two documents carry everything between the programs:
//!
//! - [`ModelInfo`], the file `model-info.yaml`: which model version exists and where.
//! - [`Package`], a directory with one ONNX graph and its description
//!   [`Manifest`], sealed by SHA-256 digests and verified when it is opened.
//!
//! The way from a raw value to the graph's input exists once, in [`Table`],
//! `ImageInput` and `Tokenizer`, so that training and serving cannot differ; the
//! latter two stand behind the features `pictures` and `texts`. [`Session`] runs
//! the graph; with the feature `onnxruntime`, also on the library of that name, and
//! `Engines` says which graph runs where. With the feature `checkpoints`, `checkpoint`
//! reads what other training code has saved.
//!
//! Everything is written aside, flushed and renamed ([`publish`]): a reader sees
//! a whole document or none.

#[cfg(feature = "checkpoints")]
pub mod checkpoint;
mod digest;
#[cfg(feature = "pictures")]
mod image;
mod info;
mod inventory;
mod manifest;
mod package;
pub mod publish;
mod session;
mod table;
#[cfg(feature = "texts")]
mod text;
mod variables;

#[cfg(feature = "pictures")]
pub use self::image::{ImageError, ImageInput, MAX_PIXELS, Resampling, thumbnail};
pub use digest::{Digest, ParseDigestError};
pub use info::{Candidate, InfoError, MODEL_INFO_FILE, ModelInfo, RegistryEntry};
pub use inventory::{DATA_FILE, Differences, Inventory, InventoryError};
pub use manifest::{
    BackboneOrigin, BaseModel, DataFiles, Datatype, FORMAT, FORMAT_VERSION, FileEntry, Manifest,
    Preprocessing, Provenance, Task, TensorSignature,
};
pub use package::{
    GRAPH_FILE, MANIFEST_FILE, Package, PackageError, REFERENCE_FILE, TOKENIZER_FILE, write_package,
};
#[cfg(feature = "onnxruntime")]
pub use session::{
    Asked, Choice, Copies, EngineError, Engines, LibraryError, OnnxRuntime, Opening, Signature,
};
pub use session::{BUILT_IN, Input, Lane, Session, SessionError, Tensor};
pub use table::{Cell, CellError, Column, ColumnKind, RowError, Table, is_missing};
#[cfg(feature = "texts")]
pub use text::{TextError, TextInput, Tokenizer, Tokens};
pub use variables::{try_parse, without_empty_variables};
