//! Completion scripts for shells and the man page: what the command line says of itself, in other forms.

use clap::{Command, CommandFactory, ValueEnum};
use clap_complete::Shell;
use clap_mangen::Man;

use super::Cli;

/// In which form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    Bash,
    Zsh,
    Fish,
    Elvish,
    Powershell,
    Man,
}

const NAME: &str = "drift-check";

/// The script, or the page.
///
/// # Errors
/// None: what is written to is memory; the type is the writers'.
pub fn render(kind: Kind) -> std::io::Result<String> {
    let shell = match kind {
        Kind::Bash => Shell::Bash,
        Kind::Zsh => Shell::Zsh,
        Kind::Fish => Shell::Fish,
        Kind::Elvish => Shell::Elvish,
        Kind::Powershell => Shell::PowerShell,
        Kind::Man => return man(),
    };
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), NAME, &mut script);
    let script = String::from_utf8_lossy(&script).into_owned();
    // clap_complete 4.6 takes the hyphen in the program's name for the border of a command in one place and not in the other, so that bash
    // would complete no option of any command.
    Ok(script.replace("drift__subcmd__check", "drift__check"))
}

/// One page: the program, then each of its commands with what is its own.
fn man() -> std::io::Result<String> {
    let program = Cli::command();
    let commands: Vec<Command> = program.get_subcommands().cloned().collect();
    let mut page = Vec::new();
    Man::new(program).section("1").render(&mut page)?;
    for command in commands {
        let name = command.get_name().to_owned();
        let mut section = Vec::new();
        let man = Man::new(command.bin_name(format!("{NAME} {name}")).disable_help_flag(true));
        man.render_synopsis_section(&mut section)?;
        man.render_description_section(&mut section)?;
        man.render_options_section(&mut section)?;
        man.render_extra_section(&mut section)?;
        let section = String::from_utf8_lossy(&section).replace("\n.SH ", "\n.SS ");
        let section = section.strip_prefix(".SH ").map_or(section.clone(), |rest| format!(".SS {rest}"));
        page.extend_from_slice(format!(".SH \"{}\"\n{section}", format!("{NAME} {name}").to_uppercase()).as_bytes());
    }
    Ok(String::from_utf8_lossy(&page).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_is_on_the_page_and_in_every_script() {
        let commands: Vec<String> = Cli::command().get_subcommands().map(|command| command.get_name().to_owned()).collect();
        for kind in Kind::value_variants() {
            let text = render(*kind).unwrap();
            for command in &commands {
                assert!(text.contains(command.as_str()), "{kind:?} does not know {command}");
            }
        }
        let page = render(Kind::Man).unwrap();
        assert!(page.contains(".SH \"DRIFT-CHECK DOCTOR\""), "{page}");
        assert!(page.contains("send\\-test"), "{page}");
    }
}
