//! Floor 9. The command line: arguments in, output and an exit code out.

mod call;
mod check;
mod clients;
mod completions;
mod connect;
mod descriptors;
mod door;
mod environment;
mod exit;
mod explain;
mod fix;
mod import;
mod init;
mod instructions;
mod kept;
mod keys;
mod plan;
mod progress;
mod report;
mod schema;
mod serve;
mod test;
mod tokens;
mod tools;
mod users;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

pub use exit::Exit;
pub use explain::{check_samples, diagnostics_page};

/// Serves REST endpoints and SQL queries as MCP tools, from YAML files.
#[derive(Debug, Parser)]
#[command(name = "mcp-bridge", version, about, after_help = AFTER_HELP)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    printing: Printing,
}

const AFTER_HELP: &str = "\
Exit codes:
  0  fine
  1  the bridges have errors, a test failed, or a called tool returned an error
  2  could not run: wrong usage, or a path that cannot be read
  3  failed while serving, such as a port in use

Where PATH is left out it is `bridges/`. MCP_BRIDGE_LOG sets what is logged: error, warn, info,
debug.";

#[derive(Debug, Subcommand)]
enum Command {
    /// Serves the bridges over HTTP, or over standard input and output
    Serve(serve::Options),
    /// Runs one tool and prints its result
    Call(call::Options),
    /// Finds every fault of the bridge files
    Check(check::Options),
    /// Runs the tests in the files, without asking any source
    Test(test::Options),
    /// Prints the tools as a client sees them
    Tools(tools::Options),
    /// Prints the instructions that clients are sent
    Instructions(instructions::Options),
    /// Says what a code of `check` means, and what to write instead
    Explain(explain::Options),
    /// Makes a bridge file of what others have described
    #[command(subcommand, after_help = "Examples:\n  mcp-bridge import openapi openapi.yaml -o bridges/shop.yaml")]
    Import(import::Options),
    /// Makes, shows, replaces and takes back API keys
    #[command(subcommand, after_help = "Examples:\n  mcp-bridge keys create --name poke\n  mcp-bridge keys list")]
    Keys(keys::Options),
    /// Makes, shows, approves and takes back clients of the authorization server inside
    #[command(subcommand, after_help = "Examples:\n  mcp-bridge clients list\n  mcp-bridge clients approve CLIENT_ID")]
    Clients(clients::Options),
    /// Makes, shows and keeps out people who sign in to it
    #[command(
        subcommand,
        after_help = "Examples:\n  mcp-bridge users add ada --workspace acme\n  mcp-bridge login-link --user ada"
    )]
    Users(users::Options),
    /// Makes a link that signs a person in, once
    LoginLink(users::LoginLink),
    /// Writes a first bridge that checks clean
    Init(init::Options),
    /// Prints how clients are set up, ready to be pasted
    Connect(connect::Options),
    /// Says what would be served, and what a reload would change
    Plan(plan::Options),
    /// Prints the JSON Schema of bridge files
    Schema(schema::Options),
    /// Prints a script that completes commands in a shell
    Completions(completions::Completions),
    /// Prints the manual page
    Man(completions::Man),
}

/// Where the bridges are.
#[derive(Debug, Args)]
struct Paths {
    /// Bridge files, and folders of them
    #[arg(value_name = "PATH", default_value = "bridges")]
    paths: Vec<PathBuf>,
}

/// How diagnostics are printed.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    /// The line with a marker under the text
    Full,
    /// One line each
    Concise,
    /// One JSON document
    Json,
    /// Commands that a workflow run shows beside the lines
    Github,
    /// One SARIF 2.1.0 log
    Sarif,
}

/// How much is printed, and in which colours.
#[derive(Clone, Copy, Debug, Args)]
struct Printing {
    /// Prints results and faults, and no summaries
    #[arg(long, short, global = true)]
    quiet: bool,
    /// When faults are printed in colours
    #[arg(long, global = true, value_enum, value_name = "WHEN", default_value_t = When::Auto)]
    color: When,
}

/// When colours are used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum When {
    /// On terminals, unless `NO_COLOR` is set
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// Runs the command line of this process.
#[must_use]
pub fn run() -> Exit {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(told) => {
            let exit = if told.use_stderr() { Exit::CouldNotRun } else { Exit::Fine };
            // A closed pipe is the reader's choice.
            let _ = told.print();
            return exit;
        }
    };
    report::settle(arguments.printing);
    match arguments.command {
        Command::Serve(options) => serve::run(&options),
        Command::Call(options) => call::run(&options),
        Command::Check(options) => check::run(&options),
        Command::Test(options) => test::run(&options),
        Command::Tools(options) => tools::run(&options),
        Command::Instructions(options) => instructions::run(&options),
        Command::Explain(options) => explain::run(&options),
        Command::Import(options) => import::run(&options),
        Command::Keys(options) => keys::run(&options),
        Command::Clients(options) => clients::run(&options),
        Command::Users(options) => users::run(&options),
        Command::LoginLink(options) => users::link(&options),
        Command::Init(options) => init::run(&options),
        Command::Connect(options) => connect::run(&options),
        Command::Plan(options) => plan::run(&options),
        Command::Schema(options) => schema::run(&options),
        Command::Completions(options) => completions::completions(&options),
        Command::Man(options) => completions::man(&options),
    }
}
