//! What a model takes, and how features become the inputs of its graph.

use model::{
    ImageError, ImageInput, Input, SessionError, Table, Tensor, TensorSignature, TextError,
    Tokenizer,
};

use super::features::{Features, Picture};

/// The most texts of one run: all are padded to the longest of them.
const TEXTS: usize = 32;

/// What a model takes.
#[derive(Debug)]
pub(crate) enum Takes {
    /// Rows of this table.
    Table(Table),
    /// Pictures.
    Pictures(ImageInput),
    /// Texts.
    Texts(Box<Tokenizer>),
}

/// Why features give no prediction.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PredictError {
    /// The request holds something else than the model takes.
    #[error("this model takes {wanted}, the request holds {found}")]
    Kind {
        /// `rows`, `pictures` or `texts`.
        wanted: &'static str,
        /// As `wanted`.
        found: &'static str,
    },
    /// There is nothing to predict from.
    #[error("there are no {0}, send at least one")]
    Empty(&'static str),
    /// A picture that cannot be decoded.
    #[error("picture {position}: {source}")]
    Picture {
        /// Its number in the request, from 1.
        position: usize,
        /// What is wrong with it.
        source: ImageError,
    },
    /// A text that cannot be tokenized.
    #[error(transparent)]
    Text(#[from] TextError),
    /// The graph failed.
    #[error(transparent)]
    Session(#[from] SessionError),
}

impl Takes {
    /// In words.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Table(_) => "rows",
            Self::Pictures(_) => "pictures",
            Self::Texts(_) => "texts",
        }
    }

    /// Gives `run` the inputs of the graph for all of `features`, in parts of a
    /// bounded size: convolutions of one picture after the other are as fast as
    /// of many, and take less memory.
    ///
    /// # Errors
    ///
    /// When the features are none, or not of this kind, or cannot be decoded;
    /// and the errors of `run`.
    pub(super) fn inputs(
        &self,
        signatures: &[TensorSignature],
        features: Features,
        mut run: impl FnMut(Vec<Input>) -> Result<(), SessionError>,
    ) -> Result<(), PredictError> {
        let mut parts = 0;
        match (self, features) {
            (Self::Table(table), Features::Rows(values)) => {
                let width = table.columns.len();
                let rows = values.len().checked_div(width).unwrap_or(0);
                if rows > 0 {
                    let shape = vec![rows, width];
                    run(vec![Tensor { shape, values }.into()])?;
                    parts = 1;
                }
            }
            (Self::Pictures(image), Features::Pictures(pictures)) => {
                for picture in pictures {
                    parts += 1;
                    let tensor = pixels(image, picture).map_err(|source| {
                        let position = parts;
                        PredictError::Picture { position, source }
                    })?;
                    run(vec![tensor.into()])?;
                }
            }
            (Self::Texts(tokenizer), Features::Texts(texts)) => {
                for texts in texts.chunks(TEXTS) {
                    parts += 1;
                    let tokens = tokenizer.encode(texts)?;
                    let inputs = signatures.iter().map(|input| tokens.input(&input.name));
                    run(inputs.collect::<Result<_, _>>()?)?;
                }
            }
            (_, features) => {
                return Err(PredictError::Kind {
                    wanted: self.kind(),
                    found: features.kind(),
                });
            }
        }
        match parts {
            0 => Err(PredictError::Empty(self.kind())),
            _ => Ok(()),
        }
    }

    /// The graph's inputs for something plain: a row of zeros, which is a number
    /// of every numeric column and the first category of the others, a grey
    /// picture, or a short text.
    pub(super) fn sample(&self) -> Features {
        match self {
            Self::Table(table) => Features::Rows(vec![0.0; table.columns.len()]),
            Self::Pictures(image) => Features::Pictures(vec![Picture::Pixels {
                height: image.height,
                width: image.width,
                values: vec![127; image.len()],
            }]),
            Self::Texts(_) => Features::Texts(vec!["a".to_owned()]),
        }
    }
}

fn pixels(image: &ImageInput, picture: Picture) -> Result<Tensor, ImageError> {
    let mut values = Vec::with_capacity(image.len());
    match picture {
        Picture::Encoded(bytes) => image.encode(&bytes, &mut values)?,
        Picture::Pixels {
            height,
            width,
            values: pixels,
        } => image.encode_pixels(width, height, pixels, &mut values)?,
    }
    let (height, width) = (image.height as usize, image.width as usize);
    let shape = vec![1, 3, height, width];
    Ok(Tensor { shape, values })
}
