//! Floor 9. `mcp-bridge serve`.

use std::{io::IsTerminal, net::SocketAddr, sync::Arc};

use clap::Args;
use tokio::runtime::{Builder, Runtime};
use tokio_util::sync::CancellationToken;
use tracing_subscriber::{EnvFilter, filter::LevelFilter};

use super::{Exit, Paths, descriptors, environment::Environment, report};
use crate::{
    engine::Generation,
    plan::{Plan, Public, Reload},
    secret::{Secret, Vault},
    serve::{Bound, Drained, Stdio, Watch},
    telemetry,
    yaml::Variables,
};

/// `mcp-bridge serve`
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Options {
    #[command(flatten)]
    paths: Paths,
    /// Address and port, in the place of `server.listen`
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<String>,
    /// Talks to the client that started it, over standard input and output
    #[arg(long, conflicts_with = "listen")]
    stdio: bool,
    /// Reads the files once, in the place of `server.reload`
    #[arg(long)]
    no_reload: bool,
}

const EXAMPLES: &str = "\
Examples:
  mcp-bridge serve
  mcp-bridge serve bridges/shop.yaml --listen 127.0.0.1:9000
  mcp-bridge serve bridges/shop.yaml --stdio";

/// The variable that holds the key of the client that starts a server with `--stdio`.
const KEY: &str = "MCP_BRIDGE_API_KEY";

pub(super) fn run(options: &Options) -> Exit {
    log();
    descriptors::raise();
    let watch = Watch::new(options.paths.paths.clone(), Arc::new(Environment));
    let (plan, vault) = match report::plan(&options.paths.paths) {
        Ok(plan) => plan,
        Err(exit) => return exit,
    };
    let watch = (!options.no_reload && plan.server.reload == Reload::Watched).then_some(watch);
    let runtime = match runtime() {
        Ok(runtime) => runtime,
        Err(error) => {
            report::tell(&format!("error: the server cannot start: {error}"));
            return Exit::FailedServing;
        }
    };
    if options.stdio {
        let exit = runtime.block_on(talk(plan, &vault, watch));
        // A read of the standard input cannot be taken back, and is not waited for.
        runtime.shutdown_background();
        return exit;
    }
    match address(options, &plan) {
        Ok(listen) => runtime.block_on(serve(plan, &vault, listen, watch)),
        Err(exit) => exit,
    }
}

/// Serves the one client that started the process.
async fn talk(plan: Plan, vault: &Vault, watch: Option<Watch>) -> Exit {
    let (words, note) = (size(&plan), plan.passed_on());
    let generation = match Generation::build(plan, vault).await {
        Ok(generation) => generation,
        Err(error) => {
            report::tell(&format!("error: {}", error.public()));
            return Exit::FailedServing;
        }
    };
    let key = Environment.variable(KEY).map(Secret::new);
    let server = match Stdio::new(generation, vault, key.as_ref()) {
        Ok(server) => server,
        Err(error) => {
            report::tell(&format!("error: {error}"));
            report::tell(&format!("  help: {KEY} says who is calling; leave it out to call without a key"));
            return Exit::CouldNotRun;
        }
    };
    let server = match watch {
        Some(watch) => server.watching(watch),
        None => server,
    };
    warn(note.as_deref());
    tracing::info!("serving {words} over standard input and output");
    let stop = CancellationToken::new();
    telemetry::spawn(stop_on_signal(stop.clone()));
    let drained = server.serve(tokio::io::stdin(), tokio::io::stdout(), stop).await;
    told(drained)
}

fn told(drained: Drained) -> Exit {
    match drained {
        Drained::Whole => tracing::info!("stopped"),
        Drained::CutOff => tracing::warn!("stopped; some calls had not ended within the grace period"),
    }
    Exit::Fine
}

/// What has to be said each time.
fn warn(note: Option<&str>) {
    if let Some(note) = note {
        tracing::warn!("{note}");
    }
}

/// How much is served, in words.
fn size(plan: &Plan) -> String {
    let served = plan.bridges.iter().filter(|bridge| !bridge.name.is_empty()).count();
    format!("{}, {}", counted(served, "bridge"), counted(plan.tools.len(), "tool"))
}

/// On one core there is nobody to share work with, and sharing has its price.
fn runtime() -> std::io::Result<Runtime> {
    let mut builder = match std::thread::available_parallelism() {
        Ok(cores) if cores.get() == 1 => Builder::new_current_thread(),
        Ok(_) | Err(_) => Builder::new_multi_thread(),
    };
    builder.enable_all().build()
}

async fn serve(plan: Plan, vault: &Vault, listen: SocketAddr, watch: Option<Watch>) -> Exit {
    let note = plan.passed_on();
    let (words, scheme) = (size(&plan), if plan.server.tls.is_some() { "https" } else { "http" });
    let generation = match Generation::build(plan, vault).await {
        Ok(generation) => generation,
        Err(error) => {
            report::tell(&format!("error: {}", error.public()));
            return Exit::FailedServing;
        }
    };
    let bound = match Bound::bind(generation, vault, listen).await {
        Ok(bound) => bound,
        Err(error) => {
            report::tell(&format!("error: cannot listen on {listen}: {error}"));
            if error.kind() == std::io::ErrorKind::AddrInUse {
                report::tell("  help: stop the other program, or choose another port: --listen 127.0.0.1:8081");
            }
            return Exit::FailedServing;
        }
    };
    let bound = match watch {
        Some(watch) => bound.watching(watch),
        None => bound,
    };
    let address = bound.address().unwrap_or(listen);
    warn(note.as_deref());
    tracing::info!("serving {words} at {scheme}://{address}/mcp");
    let stop = CancellationToken::new();
    telemetry::spawn(stop_on_signal(stop.clone()));
    told(bound.serve(stop).await)
}

/// The address to listen on. The rule that an open address needs keys holds for the command
/// line as it does for the file.
fn address(options: &Options, plan: &Plan) -> Result<SocketAddr, Exit> {
    let Some(text) = &options.listen else { return Ok(plan.server.listen) };
    let written = text.strip_prefix("localhost:").map_or_else(|| text.clone(), |port| format!("127.0.0.1:{port}"));
    let Ok(address) = written.parse::<SocketAddr>() else {
        report::tell(&format!("error: `{text}` is not an address and port"));
        report::tell("  help: write 127.0.0.1:8080, or 0.0.0.0:8080 for every address");
        return Err(Exit::CouldNotRun);
    };
    let guarded = plan.server.keeps_strangers_out() || plan.server.public == Public::Unsafe;
    if !address.ip().is_loopback() && !guarded {
        report::tell(&format!("error: anybody who reaches {address} could call the tools"));
        report::tell(
            "  help: add `server.auth` to a bridge file, listen on 127.0.0.1, or say `server.unsafe_public: true`",
        );
        return Err(Exit::CouldNotRun);
    }
    Ok(address)
}

/// The first signal asks to stop, a second one does not wait any longer.
async fn stop_on_signal(stop: CancellationToken) {
    signal().await;
    tracing::info!("stopping: calls under way may end");
    stop.cancel();
    signal().await;
    #[expect(clippy::disallowed_methods, clippy::exit, reason = "a second signal means now")]
    std::process::exit(3);
}

#[cfg(unix)]
async fn signal() {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut terminate) = signal(SignalKind::terminate()) else {
        // Without a way to hear signals the system ends the process.
        return std::future::pending().await;
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = tokio::signal::ctrl_c() => {}
    }
}

#[cfg(not(unix))]
async fn signal() {
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// Logs go to the standard error stream; colours only to terminals.
fn log() {
    let wanted = Environment.variable("MCP_BRIDGE_LOG").filter(|it| !it.is_empty()).unwrap_or_else(|| "info".into());
    // A word that is no level would be taken for the name of a module, and nothing else be told.
    let is_known = wanted.contains('=') || wanted.parse::<LevelFilter>().is_ok();
    let filter = is_known.then(|| EnvFilter::try_new(&wanted).ok()).flatten();
    let is_understood = filter.is_some();
    let filter = filter.unwrap_or_else(|| EnvFilter::new("info"));
    let ansi = std::io::stderr().is_terminal();
    let subscriber = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(ansi);
    // A second set-up can only come from a test that set one up before.
    let _ = subscriber.with_target(false).try_init();
    if !is_understood {
        tracing::warn!("MCP_BRIDGE_LOG counts as `info`: it is `error`, `warn`, `info` or `debug`");
    }
}

fn counted(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}
