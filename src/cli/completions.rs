//! Floor 9. `mcp-bridge completions` and `mcp-bridge man`: what shells and manuals are told of the commands.

use std::{fs, io, path::PathBuf};

use clap::{Args, Command, CommandFactory};
use clap_complete::Shell;

use super::{Arguments, Exit, report};

/// `mcp-bridge completions`
#[derive(Debug, Args)]
#[command(after_help = COMPLETIONS)]
pub(super) struct Completions {
    /// The shell
    #[arg(value_enum, value_name = "SHELL")]
    shell: Shell,
}

const COMPLETIONS: &str = "\
Examples:
  mcp-bridge completions bash > ~/.local/share/bash-completion/completions/mcp-bridge
  mcp-bridge completions zsh > ~/.zfunc/_mcp-bridge
  mcp-bridge completions fish > ~/.config/fish/completions/mcp-bridge.fish";

/// `mcp-bridge man`
#[derive(Debug, Args)]
#[command(after_help = MAN)]
pub(super) struct Man {
    /// Writes a page for every command into this folder, in the place of one to the standard output
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

const MAN: &str = "\
Examples:
  mcp-bridge man | man -l -
  mcp-bridge man --dir ~/.local/share/man/man1";

pub(super) fn completions(options: &Completions) -> Exit {
    let mut script = Vec::new();
    clap_complete::generate(options.shell, &mut Arguments::command(), "mcp-bridge", &mut script);
    report::show(&String::from_utf8_lossy(&script));
    Exit::Fine
}

pub(super) fn man(options: &Man) -> Exit {
    let written = match &options.dir {
        None => page(Arguments::command()).map(|page| report::show(&String::from_utf8_lossy(&page))),
        Some(folder) => {
            fs::create_dir_all(folder).and_then(|()| clap_mangen::generate_to(Arguments::command(), folder))
        }
    };
    match written {
        Ok(()) => Exit::Fine,
        Err(error) => {
            report::tell(&format!("error: the pages cannot be written: {error}"));
            Exit::CouldNotRun
        }
    }
}

fn page(command: Command) -> io::Result<Vec<u8>> {
    let mut page = Vec::new();
    clap_mangen::Man::new(command).render(&mut page)?;
    Ok(page)
}
