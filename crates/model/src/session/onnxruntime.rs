//! ONNX Runtime, a C++ library that is loaded when it is there.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::{fmt, iter, thread};

use ort::environment::Environment;
use ort::session::builder::{GraphOptimizationLevel, SessionBuilder};
use ort::session::{
    HasSelectedOutputs, OutputSelector, RunOptions, Session as Loaded, SessionInputValue,
};
use ort::value::{Outlet, Tensor as Value, TensorElementType};

use super::library::{self, LibraryError};
use super::{Graph, Input, Lane, Session, SessionError, Tensor};
use crate::TensorSignature;

/// The most copies of a graph that run at a time, besides that for a lone run; each has
/// the weights in memory.
const COPIES: usize = 4;

/// The most copies that compute at a time where each has a thread of its own.
const LANES: usize = 16;

/// How many copies of a graph are loaded, and how many threads each computes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Copies {
    /// For requests, of which sometimes one is alone and sometimes many come at once.
    Served,
    /// One for each thread, on which all of its run is computed: for work of which there
    /// is always more. What a run gives depends on no number of threads.
    EachThread,
    /// A single one on all threads: for a few runs.
    One,
}

/// Asks for the memory of a run back: 32 pictures at once leave 550 MB with two copies
/// of EfficientNet-Lite0 otherwise, and 20 MB so.
const SHRINK: (&str, &str) = ("memory.enable_memory_arena_shrinkage", "cpu:0");

/// A library of ONNX Runtime that is loaded.
#[derive(Clone)]
pub struct OnnxRuntime {
    environment: Environment,
    path: PathBuf,
    name: Arc<str>,
    threads: usize,
}

impl OnnxRuntime {
    /// Loads the library at `path`, each of whose graphs may take `threads` threads:
    /// those that call it, and more of its own where few call it. A process keeps the
    /// first library that it has loaded.
    ///
    /// # Errors
    ///
    /// When the file is not there, is damaged or no ONNX Runtime of version 1.17 or
    /// later, and in a program that is linked statically, which can load none.
    pub fn load(path: &Path, threads: usize) -> Result<Self, LibraryError> {
        let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        let (environment, version) = library::load(&path)?;
        Ok(Self {
            environment,
            path,
            name: format!("onnxruntime {version}").into(),
            threads: threads.max(1),
        })
    }

    /// Its name and version, as `onnxruntime 1.31`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The file that was loaded.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Loads `copies` of the ONNX `graph`, which takes `inputs` and gives `outputs`.
    ///
    /// # Errors
    ///
    /// When it is not a graph that ONNX Runtime can execute, or lacks a name of the
    /// signature.
    pub fn open(
        &self,
        copies: Copies,
        graph: &[u8],
        inputs: &[TensorSignature],
        outputs: &[TensorSignature],
    ) -> Result<Session, SessionError> {
        let is_first_alone = copies == Copies::Served;
        let copies = self.copies(copies, graph, outputs)?;
        let known = copies.first().map_or(&[][..], |copy| copy.session.inputs());
        let graph = OfLibrary {
            engine: Arc::clone(&self.name),
            inputs: inputs
                .iter()
                .map(|input| Wanted::find(known, input))
                .collect::<Result<_, _>>()?,
            outputs: outputs.iter().map(|output| output.name.clone()).collect(),
            copies: copies.into_iter().map(Mutex::new).collect(),
            is_first_alone,
            turn: AtomicUsize::new(0),
            running: AtomicUsize::new(0),
        };
        Ok(Session::on(graph, inputs))
    }

    fn copies(
        &self,
        copies: Copies,
        graph: &[u8],
        outputs: &[TensorSignature],
    ) -> Result<Vec<Copy>, SessionError> {
        let copy = |threads| self.copy(graph, threads, outputs);
        let threads = self.threads_of(copies).into_iter();
        if copies != Copies::EachThread {
            return threads.map(copy).collect();
        }
        let failed = |_| Err(SessionError::Load("a thread has failed".to_owned()));
        thread::scope(|scope| {
            let load = |threads| scope.spawn(move || copy(threads));
            let begun: Vec<_> = threads.map(load).collect();
            let loaded = begun.into_iter();
            loaded
                .map(|copy| copy.join().unwrap_or_else(failed))
                .collect()
        })
    }

    /// How many threads each copy has.
    fn threads_of(&self, copies: Copies) -> Vec<usize> {
        match copies {
            Copies::One => vec![self.threads],
            Copies::EachThread => vec![1; self.threads.min(LANES)],
            Copies::Served => {
                let count = self.threads.min(COPIES);
                // With one thread, the copy for a lone run would be as the other.
                let alone = (count > 1).then_some(self.threads);
                let threads = alone.into_iter();
                threads
                    .chain(iter::repeat_n(self.threads / count, count))
                    .collect()
            }
        }
    }

    /// Settings beside requests: no thread spins when it has nothing to do, and none is
    /// started where one is enough. Copies that compute on one thread each answer a
    /// tenth more requests than those that share their threads, which answer a lone
    /// one in three quarters of the time: so there is one of these too, for that.
    fn builder(&self, threads: usize) -> Result<SessionBuilder, ort::Error> {
        let builder = Loaded::builder(&self.environment)?
            .with_optimization_level(GraphOptimizationLevel::All)?
            .with_intra_threads(threads)?
            .with_inter_threads(1)?
            .with_intra_op_spinning(false)?
            .with_inter_op_spinning(false)?;
        Ok(builder)
    }

    fn copy(
        &self,
        graph: &[u8],
        threads: usize,
        outputs: &[TensorSignature],
    ) -> Result<Copy, SessionError> {
        let builder = self.builder(threads).map_err(load_error);
        let session = builder?.commit_from_memory(graph).map_err(load_error)?;
        for output in outputs {
            named(session.outputs(), "output", output)?;
        }
        let single = options(outputs).map_err(load_error)?;
        let mut several = options(outputs).map_err(load_error)?;
        several.set(SHRINK.0, SHRINK.1).map_err(load_error)?;
        Ok(Copy {
            session,
            single,
            several,
        })
    }
}

impl fmt::Debug for OnnxRuntime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            path,
            name,
            threads,
            ..
        } = self;
        f.debug_struct("OnnxRuntime")
            .field("name", name)
            .field("path", path)
            .field("threads", threads)
            .finish_non_exhaustive()
    }
}

/// A graph that ONNX Runtime has loaded: several times, since one session may only
/// run once at a time.
struct OfLibrary {
    engine: Arc<str>,
    inputs: Vec<Wanted>,
    outputs: Vec<String>,
    copies: Vec<Mutex<Copy>>,
    /// Whether the first is for a run beside which there is none, if there is more than
    /// one.
    is_first_alone: bool,
    turn: AtomicUsize,
    /// Runs that have begun and not ended.
    running: AtomicUsize,
}

/// A run, until it is dropped.
struct Running<'g>(&'g AtomicUsize);

impl<'g> Running<'g> {
    /// Begins a run; whether it is the only one.
    fn begin(running: &'g AtomicUsize) -> (Self, bool) {
        let others = running.fetch_add(1, Ordering::Relaxed);
        (Self(running), others == 0)
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// One session, and what it is asked for.
struct Copy {
    session: Loaded,
    /// For one picture, text or row, after which the next finds its memory ready.
    single: RunOptions<HasSelectedOutputs>,
    /// For several at once.
    several: RunOptions<HasSelectedOutputs>,
}

/// An input of the signature, as the graph has it.
struct Wanted {
    name: String,
    is_narrow: bool,
}

impl OfLibrary {
    /// A copy that nobody uses: the first, whose memory was used last. When there is
    /// none, callers wait for one after the other.
    fn copy(&self, is_alone: bool) -> Option<MutexGuard<'_, Copy>> {
        let copies = match self.copies.as_slice() {
            [_, rest @ ..] if self.is_first_alone && !is_alone && !rest.is_empty() => rest,
            all => all,
        };
        let free = copies.iter().find_map(|copy| match copy.try_lock() {
            Ok(copy) => Some(copy),
            Err(TryLockError::Poisoned(copy)) => Some(copy.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        });
        free.or_else(|| {
            let turn = self.turn.fetch_add(1, Ordering::Relaxed);
            let copy = copies.get(turn.checked_rem(copies.len())?)?;
            Some(copy.lock().unwrap_or_else(PoisonError::into_inner))
        })
    }
}

impl Graph for OfLibrary {
    fn engine(&self) -> &str {
        &self.engine
    }

    fn run(&self, inputs: Vec<Input>, _lane: Option<&Lane>) -> Result<Vec<Tensor>, SessionError> {
        let is_several = inputs.first().and_then(Input::rows) > Some(1);
        let inputs = self.inputs.iter().zip(inputs);
        let inputs = inputs.map(|(wanted, input)| Ok((wanted.name.as_str(), wanted.value(input)?)));
        let inputs: Vec<(&str, SessionInputValue<'_>)> =
            inputs.collect::<Result<_, SessionError>>()?;
        let (_running, is_alone) = Running::begin(&self.running);
        let copy = self.copy(is_alone);
        let mut copy = copy.ok_or_else(|| SessionError::Run("it is loaded nowhere".to_owned()))?;
        let Copy {
            session,
            single,
            several,
        } = &mut *copy;
        let options = if is_several { several } else { single };
        let values = session
            .run_with_options(inputs, options)
            .map_err(run_error)?;
        let output = |name: &String| {
            let value = values.get(name);
            let value = value.ok_or_else(|| SessionError::Run(format!("it gave no {name:?}")))?;
            let (shape, values) = value.try_extract_tensor::<f32>().map_err(run_error)?;
            let size = |size: &i64| usize::try_from(*size).unwrap_or_default();
            Ok(Tensor {
                shape: shape.iter().map(size).collect(),
                values: values.to_vec(),
            })
        };
        self.outputs.iter().map(output).collect()
    }
}

impl Wanted {
    fn find(known: &[Outlet], signature: &TensorSignature) -> Result<Self, SessionError> {
        let outlet = named(known, "input", signature)?;
        let element = outlet.dtype().tensor_type();
        Ok(Self {
            name: signature.name.clone(),
            is_narrow: element == Some(TensorElementType::Int32),
        })
    }

    fn value(&self, input: Input) -> Result<SessionInputValue<'static>, SessionError> {
        match input {
            Input::Floats(Tensor { shape, values }) => filled(shape, values),
            Input::Integers(Tensor { shape, values }) if self.is_narrow => filled(shape, values),
            Input::Integers(Tensor { shape, values }) => {
                filled(shape, values.into_iter().map(i64::from).collect())
            }
        }
    }
}

/// Those of runs that give `outputs`.
fn options(outputs: &[TensorSignature]) -> Result<RunOptions<HasSelectedOutputs>, ort::Error> {
    let none = OutputSelector::no_default();
    let selected = outputs.iter().fold(none, |all, one| all.with(&one.name));
    Ok(RunOptions::new()?.with_outputs(selected))
}

fn filled<T>(shape: Vec<usize>, values: Vec<T>) -> Result<SessionInputValue<'static>, SessionError>
where
    T: ort::value::PrimitiveTensorElementType + fmt::Debug + Clone + 'static,
{
    if shape.iter().product::<usize>() != values.len() {
        let values = values.len();
        return Err(SessionError::Shape { shape, values });
    }
    let value = Value::from_array((shape, values)).map_err(run_error)?;
    Ok(value.into())
}

fn named<'a>(
    known: &'a [Outlet],
    kind: &'static str,
    wanted: &TensorSignature,
) -> Result<&'a Outlet, SessionError> {
    let found = known.iter().find(|outlet| outlet.name() == wanted.name);
    found.ok_or_else(|| SessionError::Signature {
        kind,
        name: wanted.name.clone(),
    })
}

fn load_error(error: ort::Error) -> SessionError {
    SessionError::Load(error.to_string())
}

fn run_error(error: ort::Error) -> SessionError {
    SessionError::Run(error.to_string())
}
