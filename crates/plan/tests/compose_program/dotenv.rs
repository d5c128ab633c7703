//! Files `.env`: the same variables, or refused by both.

use super::Numbers;
use super::program::{Contract, Program, environment, plain};

const CONTRACT: Contract<'_> = &[("C", "contract's \"$A\" \\ #\n'"), ("HOME", "/contract")];

/// Names that are compared.
const NAMES: [&str; 9] = ["A", "B", "C", "D", "HOME", "PWD", "TMPDIR", "PATH", "COMPOSE_PROJECT_NAME"];

/// What the files are made of.
const PIECES: [&str; 33] = [
    "A=",
    "B=",
    "C=",
    "D:",
    "export A=",
    "export ",
    "A",
    "B",
    "x",
    "y z",
    " ",
    "\n",
    "\n",
    "\n",
    "\r\n",
    "\t",
    "\"",
    "\"",
    "'",
    "'",
    "\\",
    "\\n",
    "\\$",
    "\\0101",
    " # c",
    "#",
    "$A",
    "${B:-d}",
    "$$",
    "${C}",
    "${",
    "=",
    "ä",
];

const FILES: &[&str] = &[
    "",
    "# only a comment",
    "A=1\nB: 2\r\nexport D=3\n",
    "\u{feff}A=1\n",
    "A = x y \nB=\nD='' \n",
    "A=1 # comment\nB=1#none\nD=#none\n",
    "A='x\n$B' # comment\nB=\"y\nz\"\n",
    "A=\"x\" B=y\nD='x'y=z\n",
    "A=1\nB=$A\nA=2\n",
    "A=own\nC=own\nB=${A}${C}${HOME}${PWD}\nHOME=own\nPWD=own\n",
    "A=${B:-x}$$y\nB=${N?m}\n",
    "A=${B:-x}$$y\nB='${N?m}'\n",
    "A\nHOME\nB\n",
    "A=\"\\n\\t\\\"\\\\\\$B\\c\\0101\\07\\0999\\0777\\x\"\n",
    "A='\\n\\'x'\nB=\\n\\x\n",
    "A=\"x\n",
    "=x\n",
    "A B=x\n",
    "A!=x\n",
    "A=${\n",
    "A[0]=x\nB.c=y\n1=z\nD=$1\n",
    "A\t=\tx\t\n",
    "COMPOSE_PROJECT_NAME=other\nCOMPOSE_FILE=other.yaml\nCOMPOSE_ENV_FILES=other.env\nA=1\n",
    "COMPOSE_DISABLE_ENV_FILE=1\nA=1\n",
    "A=\"\\0000\"\n",
    "export\nA=1\n",
    "A=\u{a0}x\u{a0}\nB=\u{2003}x\u{2003}\n",
];

#[test]
fn files_are_read_as_the_program_reads_them() {
    let Some(program) = Program::find() else { return };
    let names: String = NAMES.iter().map(|name| format!("      - {name}\n")).collect();
    let compose = format!("services:\n  web:\n    image: x\n    environment:\n{names}");
    let mut files: Vec<String> = FILES.iter().map(|file| (*file).to_owned()).collect();
    let mut numbers = Numbers(3);
    files.extend((0..80).map(|_| numbers.text(&PIECES, 14)));
    let (mut taken, mut refused) = (0, 0);
    for file in files {
        // What the program does not take at the very end of a file, a name alone, is taken with a line break.
        let file = format!("{file}\n");
        let ours = environment(file.as_bytes(), CONTRACT);
        for (whose, theirs) in program.models(&compose, file.as_bytes(), CONTRACT) {
            match (&ours, theirs) {
                (Ok(ours), Ok(theirs)) => {
                    taken += 1;
                    let theirs = &theirs["services"]["web"]["environment"];
                    for name in NAMES {
                        // What is not set is null.
                        let value = theirs[name].is_string().then(|| plain(&theirs[name]));
                        assert_eq!(ours.get(name), value.as_deref(), "{name}, {whose}: {file:?}");
                    }
                }
                (Err(_), Err(_)) => refused += 1,
                (ours, theirs) => panic!("{whose}: {file:?}: {ours:?}, {theirs:?}"),
            }
        }
    }
    assert!(taken > 30 && refused > 30, "{taken} {refused}");
}
