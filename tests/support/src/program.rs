//! The local cloud as a user starts it: in a process of its own.

use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
};

/// The running program; gone when this is.
pub struct Program {
    pub process: Child,
    greeting: String,
}

impl Program {
    /// Starts it and reads its greeting as far as the token.
    pub fn start(command: &mut Command) -> Self {
        let process = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut program = Self { process, greeting: String::new() };
        for line in BufReader::new(program.process.stdout.take().unwrap()).lines() {
            let line = line.unwrap();
            program.greeting.push_str(&line);
            program.greeting.push('\n');
            if line.starts_with("TOKEN=") {
                return program;
            }
        }
        panic!("it ended without a greeting");
    }

    /// SIGKILL: nothing of it can tidy up.
    pub fn kill(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }

    /// The word of the greeting that follows this text.
    pub fn after(&self, text: &str) -> &str {
        let rest = self.greeting.split_once(text).unwrap().1;
        rest.split_whitespace().next().unwrap()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.kill();
    }
}
