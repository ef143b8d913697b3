//! The pipeline graph, read off the stages' signatures.
//!
//! A stage is a plain function. A parameter `&T` is a needed fact, `Option<&T>` a fact it can do without, [`Made`]
//! the outcomes of all other steps, [`&Templates`](Templates) how text is made, and [`&World`](World) the world:
//! a stage without the last is pure. Nothing about a stage's inputs or output is repeated anywhere else.

use crate::{
    log::{AnyFact, Data},
    templates::Templates,
    world::World,
};
use flywheel_events::{ArtifactGenerated, ArtifactType, Fact, SessionCompleted, StepFailed, StepSkipped};
use std::{collections::BTreeMap, fmt, sync::Arc};

/// One fact a stage needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// The fact of this type; without it the stage is failed or skipped as its step was.
    Required(&'static str),
    /// The fact of this type where there is one.
    Optional(&'static str),
    /// The outcomes of every other step of the pipeline.
    EveryStep,
}

/// Why a stage produced nothing.
#[derive(Debug)]
pub enum Stop {
    /// The input cannot be worked on; trying again would not help. What, and what to do.
    Refused { message: String, hint: Option<String> },
    /// There is nothing to do, which is no fault.
    NothingToDo(String),
    /// The world was in the way; it may not be next time.
    World(anyhow::Error),
}

impl Stop {
    /// A refusal that says what to do.
    pub fn refused(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::Refused { message: message.into(), hint: Some(hint.into()) }
    }

    /// Nothing to do, and what there was not.
    pub fn nothing(reason: impl Into<String>) -> Self {
        Self::NothingToDo(reason.into())
    }
}

/// How one step of a run ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Ended {
    /// With its fact.
    Completed(Data),
    /// Without, and why.
    Failed(StepFailed),
    /// It had nothing to do.
    Skipped(StepSkipped),
}

/// What a stage is called with.
#[derive(Debug)]
pub struct Inputs<'a> {
    /// Outcomes by the event type the step emits. The session is among them.
    pub facts: BTreeMap<&'static str, Ended>,
    /// Outcomes of the other steps, where the stage needs all of them.
    pub made: Made,
    /// How text is made.
    pub templates: &'a Templates,
    /// The world.
    pub world: &'a World,
}

/// How every other step of the pipeline ended, in the order of the table.
#[derive(Debug, Clone, Default)]
pub struct Made(pub Vec<MadeStep>);

/// How one step ended.
#[derive(Debug, Clone)]
pub struct MadeStep {
    /// The step.
    pub step: String,
    /// Whether it makes an artifact.
    pub artifact: bool,
    /// How it ended.
    pub ended: Ended,
}

/// One parameter of a stage: what it needs, and how it is taken from the inputs.
pub trait Parameter {
    /// What it needs of the log, if anything.
    const NEED: Option<Need>;
    /// Whether it looks at the world.
    const WORLD: bool = false;
    /// What is decoded, held for the length of the call.
    type Owned;
    /// The parameter as the function sees it.
    type Item<'a>;

    /// Decodes it.
    ///
    /// # Errors
    /// When a stored fact does not decode: the log was written by a newer program.
    fn take(inputs: &Inputs<'_>) -> Result<Self::Owned, Stop>;

    /// Lends it to the function.
    fn lend<'a>(owned: &'a Self::Owned, inputs: &'a Inputs<'_>) -> Self::Item<'a>;
}

fn decode<T: Fact>(data: &Data) -> Result<Arc<T>, Stop> {
    data.shared().map_err(|error| {
        Stop::refused(
            format!("the stored {} does not decode: {error}", T::TYPE),
            "run the program that wrote it, or a newer one",
        )
    })
}

impl<T: Fact> Parameter for &T {
    const NEED: Option<Need> = Some(Need::Required(T::TYPE));
    type Owned = Arc<T>;
    type Item<'a> = &'a T;

    fn take(inputs: &Inputs<'_>) -> Result<Arc<T>, Stop> {
        match inputs.facts.get(T::TYPE) {
            Some(Ended::Completed(value)) => decode(value),
            // The runner has propagated a failed or skipped input before it calls; this is the same answer again.
            Some(Ended::Skipped(skipped)) => Err(Stop::nothing(skipped.reason.clone())),
            _ => Err(Stop::refused(format!("no {} to work on", T::TYPE), "see why that step failed")),
        }
    }

    fn lend<'a>(owned: &'a Arc<T>, _: &'a Inputs<'_>) -> &'a T {
        owned
    }
}

impl<T: Fact> Parameter for Option<&T> {
    const NEED: Option<Need> = Some(Need::Optional(T::TYPE));
    type Owned = Option<Arc<T>>;
    type Item<'a> = Option<&'a T>;

    fn take(inputs: &Inputs<'_>) -> Result<Option<Arc<T>>, Stop> {
        match inputs.facts.get(T::TYPE) {
            Some(Ended::Completed(value)) => decode(value).map(Some),
            _ => Ok(None),
        }
    }

    fn lend<'a>(owned: &'a Option<Arc<T>>, _: &'a Inputs<'_>) -> Option<&'a T> {
        owned.as_deref()
    }
}

impl Parameter for &Made {
    const NEED: Option<Need> = Some(Need::EveryStep);
    type Owned = ();
    type Item<'a> = &'a Made;

    fn take(_: &Inputs<'_>) -> Result<(), Stop> {
        Ok(())
    }

    fn lend<'a>((): &'a (), inputs: &'a Inputs<'_>) -> &'a Made {
        &inputs.made
    }
}

impl Parameter for &Templates {
    const NEED: Option<Need> = None;
    type Owned = ();
    type Item<'a> = &'a Templates;

    fn take(_: &Inputs<'_>) -> Result<(), Stop> {
        Ok(())
    }

    fn lend<'a>((): &'a (), inputs: &'a Inputs<'_>) -> &'a Templates {
        inputs.templates
    }
}

impl Parameter for &World {
    const NEED: Option<Need> = None;
    const WORLD: bool = true;
    type Owned = ();
    type Item<'a> = &'a World;

    fn take(_: &Inputs<'_>) -> Result<(), Stop> {
        Ok(())
    }

    fn lend<'a>((): &'a (), inputs: &'a Inputs<'_>) -> &'a World {
        inputs.world
    }
}

/// A function whose parameters are [`Parameter`]s and whose result is a fact.
pub trait Stage<Parameters>: Send + Sync + 'static {
    /// The fact it makes.
    type Output: Fact;

    /// What it needs, in the order of its parameters.
    fn needs() -> Vec<Need>;

    /// Whether it looks at the world.
    fn looks_at_the_world() -> bool;

    /// Calls it.
    ///
    /// # Errors
    /// As the function says.
    fn call(&self, inputs: &Inputs<'_>) -> Result<Self::Output, Stop>;
}

macro_rules! stage_of {
    ($($parameter:ident $owned:ident),+) => {
        impl<Function, Output: Fact, $($parameter: Parameter),+> Stage<fn($($parameter),+) -> Output> for Function
        where
            Function: Fn($($parameter),+) -> Result<Output, Stop>
                + for<'a> Fn($($parameter::Item<'a>),+) -> Result<Output, Stop>
                + Send + Sync + 'static,
        {
            type Output = Output;

            fn needs() -> Vec<Need> {
                [$($parameter::NEED),+].into_iter().flatten().collect()
            }

            fn looks_at_the_world() -> bool {
                false $(|| $parameter::WORLD)+
            }

            fn call(&self, inputs: &Inputs<'_>) -> Result<Output, Stop> {
                $(let $owned = $parameter::take(inputs)?;)+
                (self)($($parameter::lend(&$owned, inputs)),+)
            }
        }
    };
}
stage_of!(A a);
stage_of!(A a, B b);
stage_of!(A a, B b, C c);
stage_of!(A a, B b, C c, D d);
stage_of!(A a, B b, C c, D d, E e);
stage_of!(A a, B b, C c, D d, E e, F f);

/// A stage's function with its types worn off.
type Call = Box<dyn Fn(&Inputs<'_>) -> Result<Arc<dyn AnyFact>, Stop> + Send + Sync>;

/// A row of the table. Everything else (deliveries, documentation, graph, labels) reads this.
pub struct Row {
    /// The stage's name, which is its file's and its function's.
    pub name: &'static str,
    /// What it does, in one sentence.
    pub about: &'static str,
    /// What it needs.
    pub needs: Vec<Need>,
    /// The event type of its fact.
    pub emits: &'static str,
    /// Whether it looks at the world.
    pub world: bool,
    /// What its artifact is, where its fact is one.
    pub makes: Option<ArtifactType>,
    /// Calls it.
    pub call: Call,
}

impl Row {
    /// Whether its fact is an artifact.
    pub fn makes_artifact(&self) -> bool {
        self.makes.is_some()
    }
}

impl fmt::Debug for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Row").field("name", &self.name).field("needs", &self.needs).field("emits", &self.emits).finish()
    }
}

/// Makes a row of a function.
pub fn stage<P, S: Stage<P>>(name: &'static str, about: &'static str, function: S) -> Row {
    Row {
        name,
        about,
        needs: S::needs(),
        emits: S::Output::TYPE,
        world: S::looks_at_the_world(),
        makes: None,
        call: Box::new(move |inputs| Ok(Arc::new(function.call(inputs)?))),
    }
}

/// Makes a row of a function whose fact is an artifact of this type.
pub fn artifact<P, S: Stage<P, Output = ArtifactGenerated>>(
    makes: ArtifactType,
    name: &'static str,
    about: &'static str,
    function: S,
) -> Row {
    Row { makes: Some(makes), ..stage(name, about, function) }
}

/// The fact every pipeline starts from.
pub const ENTRY: &str = SessionCompleted::TYPE;
