//! Runs a backbone.

use model::{
    Input, Lane, Preprocessing, Session, SessionError, Tensor, TensorSignature, TextError,
    Tokenizer,
};

use crate::Backbone;

/// A loaded backbone, ready to run from any thread.
#[derive(Debug)]
pub struct Embedder {
    session: Session,
    inputs: Vec<TensorSignature>,
    preprocessing: Preprocessing,
    tokenizer: Option<Tokenizer>,
    widths: Vec<usize>,
}

/// What a backbone gives for pictures or texts.
#[derive(Debug, Clone, PartialEq)]
pub struct Seen {
    /// The embeddings, one after the other.
    pub embeddings: Vec<f32>,
    /// What a head learns from, where that is more; else nothing.
    pub features: Vec<f32>,
}

/// Why a backbone cannot be loaded, or what it is given cannot be embedded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EmbedError {
    /// The picture cannot become the graph's input.
    #[error(transparent)]
    Image(#[from] model::ImageError),
    /// The text cannot, or the tokenizer cannot be loaded.
    #[error(transparent)]
    Text(#[from] TextError),
    /// The graph cannot be loaded or run.
    #[error(transparent)]
    Session(#[from] SessionError),
    /// A picture was given to a backbone of texts, or the other way round.
    #[error("the backbone takes {0}")]
    Kind(&'static str),
    /// The graph gave something else than it describes.
    #[error("the backbone gave {found:?}, expected {wanted:?}")]
    Output {
        /// The shape it gave.
        found: Vec<usize>,
        /// The shape it describes.
        wanted: Vec<usize>,
    },
}

impl Embedder {
    /// Loads the graph and the tokenizer of `backbone`.
    ///
    /// # Errors
    ///
    /// When the runtime cannot execute the graph, or the description names what it
    /// does not have.
    pub fn load(backbone: &Backbone) -> Result<Self, EmbedError> {
        Self::load_on(backbone, Session::open)
    }

    /// The same, of which `open` loads the graph, given with what it takes and gives.
    ///
    /// # Errors
    ///
    /// As [`Embedder::load`].
    pub fn load_on(
        backbone: &Backbone,
        open: impl FnOnce(
            Vec<u8>,
            &[TensorSignature],
            &[TensorSignature],
        ) -> Result<Session, SessionError>,
    ) -> Result<Self, EmbedError> {
        let description = &backbone.description;
        let outputs: Vec<TensorSignature> =
            [Some(&description.output), description.features.as_ref()]
                .into_iter()
                .flatten()
                .cloned()
                .collect();
        let tokenizer = match (&description.preprocessing, &backbone.tokenizer) {
            (Preprocessing::Text(input), Some(file)) => Some(Tokenizer::load(file, input)?),
            _ => None,
        };
        Ok(Self {
            session: open(backbone.graph.clone(), &description.inputs, &outputs)?,
            inputs: description.inputs.clone(),
            preprocessing: description.preprocessing.clone(),
            tokenizer,
            widths: match description.features {
                Some(_) => vec![backbone.width(), backbone.head_width()],
                None => vec![backbone.width()],
            },
        })
    }

    /// The engine that runs the graph: `built-in`, or as `onnxruntime 1.31`.
    pub fn engine(&self) -> &str {
        self.session.engine()
    }

    /// The embedding of one picture, given as the bytes of its file, on the calling
    /// thread alone where that is `lane`.
    ///
    /// # Errors
    ///
    /// When the picture cannot be decoded, or the graph fails.
    pub fn picture(&self, bytes: &[u8], lane: Option<&Lane>) -> Result<Seen, EmbedError> {
        let Preprocessing::Image(image) = &self.preprocessing else {
            return Err(EmbedError::Kind("texts"));
        };
        let mut values = Vec::new();
        image.encode(bytes, &mut values)?;
        let (height, width) = (image.height as usize, image.width as usize);
        let shape = vec![1, 3, height, width];
        self.run(vec![Tensor { shape, values }.into()], 1, lane)
    }

    /// The embeddings of `texts`, one after the other, and the positions of those
    /// that had to be cut. Texts of about one length are best given together, as
    /// all are padded to the longest.
    ///
    /// # Errors
    ///
    /// When a text cannot be tokenized, or the graph fails.
    pub fn texts<S: AsRef<str>>(
        &self,
        texts: &[S],
        lane: Option<&Lane>,
    ) -> Result<(Seen, Vec<usize>), EmbedError> {
        let tokenizer = self.tokenizer.as_ref();
        let tokenizer = tokenizer.ok_or(EmbedError::Kind("pictures"))?;
        let tokens = tokenizer.encode(texts)?;
        let inputs = self.inputs.iter().map(|input| tokens.input(&input.name));
        let inputs = inputs.collect::<Result<_, _>>()?;
        Ok((self.run(inputs, texts.len(), lane)?, tokens.cut))
    }

    /// Runs the graph itself on `rows` pictures or texts.
    ///
    /// # Errors
    ///
    /// When the inputs do not fit the graph, or it fails.
    pub fn run(
        &self,
        inputs: Vec<Input>,
        rows: usize,
        lane: Option<&Lane>,
    ) -> Result<Seen, EmbedError> {
        let outputs = self.session.run_inputs(inputs, lane)?;
        for (output, width) in outputs.iter().zip(&self.widths) {
            let wanted = vec![rows, *width];
            if output.shape != wanted {
                let found = output.shape.clone();
                return Err(EmbedError::Output { found, wanted });
            }
        }
        let mut outputs = outputs.into_iter().map(|output| output.values);
        Ok(Seen {
            embeddings: outputs.next().unwrap_or_default(),
            features: outputs.next().unwrap_or_default(),
        })
    }
}
