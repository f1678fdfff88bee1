//! The command line.

use crate::features::FeatureArgs;
use crate::snapshots::{ModulesAs, SnapshotArgs};
use crate::units;
use clap::{Args, Parser, Subcommand, ValueEnum};
use sheave::Executor;
use sheave_wast::Features;
use std::path::PathBuf;
use std::time::Duration;

/// Runs WebAssembly, without a JIT.
#[derive(Parser)]
#[command(
    name = "sheave",
    version,
    about,
    subcommand_required = true,
    arg_required_else_help = true
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Runs a program
    Run(RunArgs),
    /// Goes on with a program from a snapshot
    Resume(ResumeArgs),
    /// Runs a program until it first pauses, and takes a snapshot there
    ///
    /// It pauses when it asks for a snapshot (by the function `snapshot` of the module `sheave`), when its fuel is used
    /// up, and when --at-input or --after say so. A module without `_start` is initialised, and not called.
    Snapshot(TakeArgs),
    /// Shows what is in a snapshot
    Inspect(InspectArgs),
    /// Runs test scripts of the WebAssembly specification
    Wast(WastArgs),
    /// Translates a module ahead of time, to a file that starts at once
    Compile(CompileArgs),
    /// Shows the bytecode of a module beside the WebAssembly it came from
    Disasm(DisasmArgs),
}

/// What a program is given, and its limits.
#[derive(Args)]
pub(crate) struct GuestArgs {
    /// Gives the program the directory HOST under the name GUEST (by default its own); repeatable
    #[arg(long = "dir", value_name = "HOST::GUEST")]
    pub(crate) dirs: Vec<String>,

    /// Gives the program an environment variable (without a value: ours); repeatable
    #[arg(long = "env", value_name = "K=V")]
    pub(crate) env: Vec<String>,

    /// Traps once this much fuel is used up
    #[arg(long, value_name = "N")]
    pub(crate) fuel: Option<u64>,

    /// Traps after this time, such as 500ms, 5s or 2m
    #[arg(long, value_name = "D", value_parser = units::duration)]
    pub(crate) timeout: Option<Duration>,

    /// Lets each linear memory have at most this many bytes, such as 64MiB
    #[arg(long, value_name = "B", value_parser = units::bytes)]
    pub(crate) max_memory: Option<usize>,

    /// Prints what the run took, on standard error
    #[arg(long)]
    pub(crate) stats: bool,

    /// Prints how much native stack each host function used, on standard error
    #[arg(long)]
    pub(crate) host_stack_report: bool,

    /// Lets no host function use more than this much native stack, such as 32KiB; overflow says which one it was
    #[arg(long, value_name = "B", value_parser = units::bytes)]
    pub(crate) host_stack_limit: Option<usize>,

    #[command(flatten)]
    pub(crate) features: FeatureArgs,

    /// Which executor runs the bytecode
    #[arg(long, value_name = "NAME")]
    pub(crate) executor: Option<ExecutorName>,
}

#[derive(Args)]
pub(crate) struct RunArgs {
    /// A module in the binary (.wasm) or text format (.wat), or an image made by `sheave compile`
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,

    /// Calls this exported function, with ARGS as its arguments, and prints its results
    #[arg(long, value_name = "NAME")]
    pub(crate) invoke: Option<String>,

    #[command(flatten)]
    pub(crate) guest: GuestArgs,

    #[command(flatten)]
    pub(crate) snapshots: SnapshotArgs,

    /// Arguments of the program, or of the invoked function
    #[arg(value_name = "ARGS", trailing_var_arg = true)]
    pub(crate) args: Vec<String>,
}

#[derive(Args)]
pub(crate) struct ResumeArgs {
    /// A snapshot
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,

    /// Calls this exported function, with ARGS as its arguments, and prints its results; if no call waits in the snapshot
    #[arg(long, value_name = "NAME")]
    pub(crate) invoke: Option<String>,

    #[command(flatten)]
    pub(crate) guest: GuestArgs,

    #[command(flatten)]
    pub(crate) snapshots: SnapshotArgs,

    /// The file of the module, if it is not in the snapshot and not where it was
    #[arg(long, value_name = "FILE")]
    pub(crate) module: Option<PathBuf>,

    /// Leaves files and directories that cannot be opened again as bad descriptors, instead of failing
    #[arg(long)]
    pub(crate) allow_lost_files: bool,

    /// Cuts standard output and error, where they are files, off where they were when the snapshot was taken
    #[arg(long)]
    pub(crate) rewind_output: bool,

    /// Arguments of the program, for one that has not looked at them yet, or of the invoked function
    #[arg(value_name = "ARGS", trailing_var_arg = true)]
    pub(crate) args: Vec<String>,
}

#[derive(Args)]
pub(crate) struct TakeArgs {
    /// A module in the binary or text format, or an image
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,

    /// Where the snapshot goes
    #[arg(short, long, value_name = "SNAPSHOT")]
    pub(crate) output: PathBuf,

    /// Calls this exported function, with ARGS as its arguments
    #[arg(long, value_name = "NAME")]
    pub(crate) invoke: Option<String>,

    #[command(flatten)]
    pub(crate) guest: GuestArgs,

    /// Takes it when the program first reads standard input, before it gets any
    #[arg(long)]
    pub(crate) at_input: bool,

    /// How the modules are in it
    #[arg(long, value_name = "HOW", default_value = "translated")]
    pub(crate) modules: ModulesAs,

    /// Takes it after this time, such as 500ms or 10s
    #[arg(long, value_name = "D", value_parser = units::duration)]
    pub(crate) after: Option<Duration>,

    /// Takes it when the module's start function and `_initialize` have run, before anything else is called
    #[arg(long)]
    pub(crate) after_start: bool,

    /// Arguments of the program, or of the invoked function
    #[arg(value_name = "ARGS", trailing_var_arg = true)]
    pub(crate) args: Vec<String>,
}

#[derive(Args)]
pub(crate) struct InspectArgs {
    /// A snapshot
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,

    /// Writes a page to look at, with the memories drawn page by page, instead of text
    #[arg(long, value_name = "OUT")]
    pub(crate) html: Option<PathBuf>,

    /// The file of the module, if it is not in the snapshot and not where it was
    #[arg(long, value_name = "FILE")]
    pub(crate) module: Option<PathBuf>,

    /// First checks every byte of the snapshot
    #[arg(long)]
    pub(crate) verify: bool,
}

#[derive(Args)]
pub(crate) struct WastArgs {
    /// Test scripts (.wast)
    #[arg(value_name = "FILES", required = true)]
    pub(crate) files: Vec<PathBuf>,

    /// `all`, or names of features on top of WebAssembly 2.0 (of the first version, where `mvp` is among them)
    ///
    /// A name behind a minus sign is left out. Without this, the features that are on by default are, except that a script
    /// of an older version may assert that they are refused.
    #[arg(long, value_name = "all|NAME,…")]
    pub(crate) features: Option<Features>,

    /// Which executor runs the bytecode
    #[arg(long, value_name = "NAME")]
    pub(crate) executor: Option<ExecutorName>,
}

#[derive(Args)]
pub(crate) struct CompileArgs {
    /// A module in the binary or text format
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,

    #[command(flatten)]
    pub(crate) features: FeatureArgs,

    /// Where the image goes
    #[arg(short, long, value_name = "IMAGE")]
    pub(crate) output: PathBuf,
}

#[derive(Args)]
pub(crate) struct DisasmArgs {
    /// A module in the binary or text format, or an image
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,

    #[command(flatten)]
    pub(crate) features: FeatureArgs,

    /// Shows this function only: its export name, its name in the name section, or its index
    #[arg(long, value_name = "NAME")]
    pub(crate) func: Option<String>,
}

/// The executors by name.
#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum ExecutorName {
    /// Handlers that jump to each other; optimised builds on x86-64, aarch64 and riscv64
    Threaded,
    /// A loop; everywhere
    Portable,
}

impl From<ExecutorName> for Executor {
    fn from(name: ExecutorName) -> Self {
        match name {
            ExecutorName::Threaded => Self::Threaded,
            ExecutorName::Portable => Self::Portable,
        }
    }
}
