//! What a model takes, and how features become the inputs of its graph.

use model::{
    ImageError, ImageInput, Input, SessionError, Table, Tensor, TensorSignature, TextError,
    Tokenizer,
};

use super::features::{Features, Picture};

/// The most texts of one run: all are padded to the longest of them.
const TEXTS: usize = 32;

/// The most pictures of one run: it takes memory for each.
const PICTURES: usize = 8;

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

    /// The most that one run should have.
    pub(super) fn bound(&self) -> usize {
        match self {
            Self::Table(_) => usize::MAX,
            Self::Pictures(_) => PICTURES,
            Self::Texts(_) => TEXTS,
        }
    }

    /// The number of rows, pictures or texts.
    pub(super) fn count(&self, features: &Features) -> usize {
        match (self, features) {
            (Self::Table(table), Features::Rows(values)) => {
                values.len().checked_div(table.columns.len()).unwrap_or(0)
            }
            (_, Features::Rows(_)) => 0,
            (_, Features::Pictures(pictures)) => pictures.len(),
            (_, Features::Texts(texts)) => texts.len(),
        }
    }

    /// The same features without what may be wrong with them.
    ///
    /// # Errors
    ///
    /// Those of [`Self::inputs`], but of a text.
    pub(super) fn prepare(&self, features: Features) -> Result<Features, PredictError> {
        match (self, features) {
            (Self::Pictures(image), Features::Pictures(pictures)) if !pictures.is_empty() => {
                let prepare = |(index, picture): (usize, Picture)| {
                    let mut values = Vec::with_capacity(image.len());
                    pixels(image, index, picture, &mut values)?;
                    Ok(Picture::Prepared(values))
                };
                let prepared = pictures.into_iter().enumerate().map(prepare);
                let prepared: Result<_, PredictError> = prepared.collect();
                Ok(Features::Pictures(prepared?))
            }
            (Self::Table(_), features @ Features::Rows(_))
            | (Self::Texts(_), features @ Features::Texts(_))
                if self.count(&features) > 0 =>
            {
                Ok(features)
            }
            (Self::Table(_), Features::Rows(_))
            | (Self::Pictures(_), Features::Pictures(_))
            | (Self::Texts(_), Features::Texts(_)) => Err(PredictError::Empty(self.kind())),
            (_, features) => Err(self.other(&features)),
        }
    }

    /// Gives `run` the inputs of the graph for all of `features`, in parts of a
    /// bounded size. Of pictures that is `together`: convolutions of one after the
    /// other are mostly as fast as of many, and take less memory.
    ///
    /// # Errors
    ///
    /// When the features are none, or not of this kind, or cannot be decoded;
    /// and the errors of `run`.
    pub(super) fn inputs(
        &self,
        signatures: &[TensorSignature],
        features: Features,
        together: usize,
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
                let mut pictures = pictures.into_iter().enumerate();
                while pictures.len() > 0 {
                    parts += 1;
                    let count = together.clamp(1, pictures.len());
                    let mut values = Vec::with_capacity(count * image.len());
                    for (index, picture) in pictures.by_ref().take(count) {
                        pixels(image, index, picture, &mut values)?;
                    }
                    let shape = vec![count, 3, image.height as usize, image.width as usize];
                    run(vec![Tensor { shape, values }.into()])?;
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
            (_, features) => return Err(self.other(&features)),
        }
        match parts {
            0 => Err(PredictError::Empty(self.kind())),
            _ => Ok(()),
        }
    }

    fn other(&self, features: &Features) -> PredictError {
        PredictError::Kind {
            wanted: self.kind(),
            found: features.kind(),
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

/// Adds what the graph takes of the picture with this index to `values`.
fn pixels(
    image: &ImageInput,
    index: usize,
    picture: Picture,
    values: &mut Vec<f32>,
) -> Result<(), PredictError> {
    let outcome = match picture {
        Picture::Encoded(bytes) => image.encode(&bytes, values),
        Picture::Pixels {
            height,
            width,
            values: pixels,
        } => image.encode_pixels(width, height, pixels, values),
        Picture::Prepared(pixels) => {
            values.extend(pixels);
            Ok(())
        }
    };
    outcome.map_err(|source| PredictError::Picture {
        position: index + 1,
        source,
    })
}
