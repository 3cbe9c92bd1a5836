//! A command line as argument lists, without a shell: quotes group, `&&` separates commands, and
//! whatever only a shell could do is refused by name. Nothing is expanded. Pure.

/// What may be run, in the order in which it is told.
pub const ALLOWED: [&str; 11] =
    ["npm", "bun", "pnpm", "yarn", "git", "node", "tsc", "eslint", "prettier", "test", "npx"];

/// Bytes of one argument (`MAX_ARG_STRLEN` of linux/binfmts.h, without its NUL).
pub const MAX_ARGUMENT_BYTES: usize = 131_071;
/// Arguments of one command.
pub const MAX_ARGUMENTS: usize = 4_096;
/// Commands of one chain.
pub const MAX_COMMANDS: usize = 16;

/// Why a command line is not run. The text is for the model, behind `Command blocked: `.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Nothing but blanks.
    #[error("Command cannot be empty")]
    Empty,
    /// Not one of [`ALLOWED`].
    #[error("Command \"{0}\" is not in the allowed list. Allowed commands: {list}{hint}", list = ALLOWED.join(", "), hint = hint(.0))]
    NotAllowed(String),
    /// A shell's operator outside quotes.
    #[error("{name} (`{sign}`) is not supported: there is no shell. {advice}")]
    Operator {
        /// As it was written.
        sign: String,
        /// What it is called.
        name: &'static str,
        /// What to do instead.
        advice: &'static str,
    },
    /// A quote without its end.
    #[error("the quote {0} at character {1} is never closed")]
    Unbalanced(char, usize),
    /// A character that no argument can hold.
    #[error("it holds the control character U+{0:04X}")]
    Control(u32),
    /// More than a program can take.
    #[error(
        "an argument has {0} bytes; at most {MAX_ARGUMENT_BYTES} are possible. Write long input to a file"
    )]
    LongArgument(usize),
    /// More than a program can take.
    #[error("it has more than {MAX_ARGUMENTS} arguments. Use fewer, or a file that lists them")]
    ManyArguments,
    /// More than anyone would wait for.
    #[error("it chains more than {MAX_COMMANDS} commands")]
    ManyCommands,
}

fn hint(word: &str) -> &'static str {
    match word {
        "cd" => ". To run a command in a folder, use the cwd parameter",
        _ if word.contains('=') => ". Variables cannot be set here",
        _ => "",
    }
}

/// Splits a line into commands, and each into its arguments.
///
/// # Errors
/// See [`Refusal`].
pub fn parse(line: &str) -> Result<Vec<Vec<String>>, Refusal> {
    let mut parser = Parser {
        chars: line.chars().enumerate().peekable(),
        commands: Vec::new(),
        command: Vec::new(),
        word: None,
    };
    parser.run()?;
    let Parser { commands, .. } = parser;
    if commands.is_empty() {
        return Err(Refusal::Empty);
    }
    if commands.len() > MAX_COMMANDS {
        return Err(Refusal::ManyCommands);
    }
    for command in &commands {
        let word = command.first().ok_or(Refusal::Empty)?;
        if !ALLOWED.contains(&word.as_str()) {
            let word: String = word.chars().take(100).collect();
            return Err(Refusal::NotAllowed(word));
        }
        if command.len() > MAX_ARGUMENTS {
            return Err(Refusal::ManyArguments);
        }
        if let Some(long) = command.iter().find(|word| word.len() > MAX_ARGUMENT_BYTES) {
            return Err(Refusal::LongArgument(long.len()));
        }
    }
    Ok(commands)
}

struct Parser<'a> {
    chars: std::iter::Peekable<std::iter::Enumerate<std::str::Chars<'a>>>,
    commands: Vec<Vec<String>>,
    command: Vec<String>,
    word: Option<String>,
}

const SEPARATE: &str = "Run the commands one at a time, or join them with &&.";
const LITERAL: &str = "Put it into single quotes if it is meant as text.";

impl Parser<'_> {
    fn run(&mut self) -> Result<(), Refusal> {
        while let Some((at, c)) = self.chars.next() {
            match c {
                ' ' | '\t' => self.end_word(),
                '\r' if self.next_is('\n') => {}
                '\n' => {
                    self.end_word();
                    // A line end after the last command separates nothing.
                    if self.chars.clone().any(|(_, c)| !c.is_whitespace()) {
                        return Err(operator("\\n", "a line break", SEPARATE));
                    }
                }
                '\'' | '"' => self.quoted(at, c)?,
                '\\' => match self.chars.next() {
                    // A line that goes on.
                    Some((_, '\n')) => {}
                    Some((_, c)) => self.push(c)?,
                    None => self.push('\\')?,
                },
                '&' if self.next_is('&') => {
                    self.chars.next();
                    self.end_word();
                    if self.command.is_empty() {
                        return Err(Refusal::Empty);
                    }
                    self.commands.push(std::mem::take(&mut self.command));
                }
                '&' => return Err(operator("&", "a background command", "Wait for each command instead.")),
                ';' => return Err(operator(";", "a command separator", SEPARATE)),
                '|' if self.next_is('|') => {
                    return Err(operator("||", "an alternative", "Run the commands one at a time."));
                }
                '|' => return Err(operator("|", "a pipe", "Run the command alone and read its output.")),
                '>' => {
                    return Err(operator(
                        ">",
                        "a redirection",
                        "Output is returned; use writeFile to store it.",
                    ));
                }
                '<' => {
                    return Err(operator(
                        "<",
                        "a redirection",
                        "Programs get no input; name the file as an argument.",
                    ));
                }
                '`' => return Err(operator("`", "a command substitution", LITERAL)),
                '$' if self.next_is('(') => return Err(operator("$(", "a command substitution", LITERAL)),
                '$' => match self.chars.peek() {
                    Some(&(_, next)) if next == '{' || next == '_' || next.is_ascii_alphanumeric() => {
                        let name = self.chars.clone().map(|(_, c)| c);
                        let name: String = name
                            .take_while(|c| *c == '{' || *c == '_' || c.is_ascii_alphanumeric())
                            .take(40)
                            .collect();
                        return Err(operator(&format!("${name}"), "a variable", LITERAL));
                    }
                    _ => self.push('$')?,
                },
                c => self.push(c)?,
            }
        }
        self.end_word();
        if !self.command.is_empty() {
            self.commands.push(std::mem::take(&mut self.command));
        } else if !self.commands.is_empty() {
            // `a &&`
            return Err(Refusal::Empty);
        }
        Ok(())
    }

    fn quoted(&mut self, at: usize, quote: char) -> Result<(), Refusal> {
        self.word.get_or_insert_default();
        loop {
            let (_, c) = self.chars.next().ok_or(Refusal::Unbalanced(quote, at + 1))?;
            match c {
                c if c == quote => return Ok(()),
                // As a shell reads it between double quotes.
                '\\' if quote == '"' => match self.chars.peek() {
                    Some(&(_, next)) if matches!(next, '"' | '\\' | '$' | '`' | '\n') => {
                        self.chars.next();
                        if next != '\n' {
                            self.push(next)?;
                        }
                    }
                    _ => self.push('\\')?,
                },
                '\n' => self.word.get_or_insert_default().push('\n'),
                c => self.push(c)?,
            }
        }
    }

    fn push(&mut self, c: char) -> Result<(), Refusal> {
        if c.is_control() && c != '\t' {
            return Err(Refusal::Control(c as u32));
        }
        self.word.get_or_insert_default().push(c);
        Ok(())
    }

    fn end_word(&mut self) {
        self.command.extend(self.word.take());
    }

    fn next_is(&mut self, wanted: char) -> bool {
        self.chars.peek().is_some_and(|(_, c)| *c == wanted)
    }
}

fn operator(sign: &str, name: &'static str, advice: &'static str) -> Refusal {
    Refusal::Operator { sign: sign.to_owned(), name, advice }
}

/// How a package manager is asked to fetch something; `None`: it is not.
pub fn installs(command: &[String]) -> Option<&str> {
    const NPM: [&str; 21] = [
        "install",
        "i",
        "in",
        "ins",
        "inst",
        "insta",
        "instal",
        "isnt",
        "isntall",
        "add",
        "ci",
        "clean-install",
        "ic",
        "install-test",
        "it",
        "install-ci-test",
        "cit",
        "update",
        "up",
        "upgrade",
        "udpate",
    ];
    const OTHERS: [&str; 9] = ["install", "i", "add", "ci", "update", "up", "upgrade", "import", "fetch"];
    let (program, rest) = command.split_first()?;
    let verb = rest.iter().map(String::as_str).find(|word| !word.starts_with('-'));
    match (program.as_str(), verb) {
        ("npm", Some(verb)) if NPM.contains(&verb) => Some(verb),
        ("pnpm" | "yarn" | "bun", Some(verb)) if OTHERS.contains(&verb) => Some(verb),
        ("yarn", None)
            if !rest.iter().any(|word| matches!(word.as_str(), "--version" | "-v" | "--help" | "-h")) =>
        {
            Some("install")
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn words(line: &str) -> Vec<Vec<String>> {
        parse(line).unwrap_or_else(|refusal| panic!("{line}: {refusal}"))
    }

    #[test]
    fn arguments_are_split_as_a_shell_would() {
        let cases: &[(&str, &[&str])] = &[
            ("npm test", &["npm", "test"]),
            ("  node   -e  'a b' ", &["node", "-e", "a b"]),
            (r#"git commit -m "dd \"x\" $HOME `id`""#, &["git", "commit", "-m", "dd \"x\" $HOME `id`"]),
            ("node -e 'console.log(`${1+1}`)'", &["node", "-e", "console.log(`${1+1}`)"]),
            ("git log --author='su'", &["git", "log", "--author=su"]),
            (r"node a\ b.js", &["node", "a b.js"]),
            ("node ''", &["node", ""]),
            ("node -e 'a\nb'\n", &["node", "-e", "a\nb"]),
            ("node src/*.js ~ a$ $", &["node", "src/*.js", "~", "a$", "$"]),
            ("npx tsc --noEmit app/(group)/page.tsx", &["npx", "tsc", "--noEmit", "app/(group)/page.tsx"]),
            ("node -e '; & | < > &&'", &["node", "-e", "; & | < > &&"]),
            ("git push --force-with-lease", &["git", "push", "--force-with-lease"]),
        ];
        for (line, expected) in cases {
            assert_eq!(words(line), [expected.iter().map(|w| (*w).to_owned()).collect::<Vec<_>>()], "{line}");
        }
    }

    #[test]
    fn commands_are_chained_by_and_alone() {
        assert_eq!(words("npm test && git status").len(), 2);
        assert_eq!(words("npm test&&git status").len(), 2);
        for line in ["&& npm test", "npm test &&", "npm test && && git status"] {
            assert_eq!(parse(line), Err(Refusal::Empty), "{line}");
        }
    }

    #[test]
    fn operators_are_refused_by_name() {
        for (line, sign, name) in [
            ("npm -v; env", ";", "a command separator"),
            ("npm -v | cat", "|", "a pipe"),
            ("npm -v || env", "||", "an alternative"),
            ("npm -v > /etc/x", ">", "a redirection"),
            ("npm -v 2>&1", ">", "a redirection"),
            ("node < x", "<", "a redirection"),
            ("npm start &", "&", "a background command"),
            ("npm -v\nenv", "\\n", "a line break"),
            ("node $(id)", "$(", "a command substitution"),
            ("node `id`", "`", "a command substitution"),
            ("node $HOME", "$HOME", "a variable"),
            ("node ${HOME}", "${HOME", "a variable"),
            ("node a$1", "$1", "a variable"),
        ] {
            match parse(line) {
                Err(Refusal::Operator { sign: found, name: called, .. }) => {
                    assert_eq!((found.as_str(), called), (sign, name), "{line}");
                }
                other => panic!("{line}: {other:?}"),
            }
        }
    }

    #[test]
    fn what_cannot_be_run_is_refused_with_its_reason() {
        for (line, expected) in [
            ("", "Command cannot be empty"),
            (" \n ", "Command cannot be empty"),
            ("node 'x", "the quote ' at character 6 is never closed"),
            ("node \"x", "the quote \" at character 6 is never closed"),
            ("node a\0b", "it holds the control character U+0000"),
            ("node '\u{1b}[2J'", "it holds the control character U+001B"),
        ] {
            assert_eq!(parse(line).unwrap_err().to_string(), expected, "{line:?}");
        }
        for (word, hint) in [
            ("rm", ""),
            ("NPM", ""),
            ("node/x", ""),
            ("./node", ""),
            ("cd", ". To run a command in a folder, use the cwd parameter"),
            ("A=b", ". Variables cannot be set here"),
        ] {
            let text = parse(&format!("{word} x")).unwrap_err().to_string();
            let expected = format!(
                "Command \"{word}\" is not in the allowed list. Allowed commands: npm, bun, pnpm, yarn, git, node, tsc, eslint, prettier, test, npx{hint}"
            );
            assert_eq!(text, expected);
        }
        let many = format!("node {}", "a ".repeat(10_000));
        assert_eq!(parse(&many), Err(Refusal::ManyArguments));
        let long = format!("node {}", "a".repeat(1 << 20));
        assert_eq!(parse(&long), Err(Refusal::LongArgument(1 << 20)));
    }

    #[test]
    fn the_second_command_of_a_chain_must_be_allowed_too() {
        assert_eq!(parse("npm test && rm -rf x"), Err(Refusal::NotAllowed("rm".to_owned())));
    }

    #[test]
    fn installing_is_recognised() {
        for (line, expected) in [
            ("npm install left-pad", Some("install")),
            ("npm --silent i", Some("i")),
            ("npm ci", Some("ci")),
            ("yarn", Some("install")),
            ("yarn --version", None),
            ("pnpm add x", Some("add")),
            ("npm run install-all", None),
            ("npm test", None),
            ("npx tsc", None),
        ] {
            assert_eq!(installs(&words(line)[0]), expected, "{line}");
        }
    }

    proptest! {
        #[test]
        fn quoted_text_arrives_as_it_is(text in "[^'\\p{Cc}]{0,40}") {
            let line = format!("node '{text}'");
            prop_assert_eq!(words(&line), vec![vec!["node".to_owned(), text]]);
        }

        #[test]
        fn no_line_breaks_the_parser(line in "\\PC{0,60}") {
            let _ = parse(&line);
        }
    }
}
