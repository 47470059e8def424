//! The command line, typed at the real binary: every mistake is one clear line, and no line holds a password.

use std::process::{Command, Output};

fn alterego(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_alterego"))
        .args(args)
        .env_clear()
        .output()
        .expect("the binary runs")
}

/// Asserts the status and that stderr is one line that holds `expected` and no password.
fn check(args: &[&str], status: i32, expected: &str) {
    let output = alterego(args);
    let stderr = String::from_utf8(output.stderr).expect("stderr is text");
    assert_eq!(output.status.code(), Some(status), "{args:?}: {stderr}");
    assert_eq!(stderr.lines().count(), 1, "{args:?}: {stderr}");
    assert!(
        stderr.starts_with("alterego: ") && stderr.contains(expected),
        "{args:?}: {stderr}"
    );
    assert!(!stderr.contains("hunter2"), "{args:?}: {stderr}");
    assert!(output.stdout.is_empty());
}

#[test]
fn wrong_usage_is_status_2() {
    const SERVER: &str = "mysql://root:hunter2@127.0.0.1:1";
    check(&[], 2, "mysql://USER@host");
    check(&["--nonsense"], 2, "--nonsense");
    check(
        &[SERVER, "--strategy", "fast"],
        2,
        "possible values: auto, ghost, native",
    );
    check(&[SERVER, "--keep-old-table", "7"], 2, "7d");
    check(&[SERVER, "--listen", "3307"], 2, "127.0.0.1:3307");
    check(&[SERVER, "--listen"], 2, "--listen");
    check(&[SERVER, SERVER], 2, "unexpected argument");
    check(
        &["root:hunter2@127.0.0.1"],
        2,
        "mysql://user[:password]@host[:port]",
    );
    check(
        &["mysql://root:hunter2@127.0.0.1/app"],
        2,
        "mysql://user[:password]@host[:port]",
    );
    check(&[SERVER, "--admin", "127.0.0.1:0"], 2, "ALTEREGO_ADMIN_PASSWORD");
    check(
        &[SERVER, "--defaults-file", "/nonexistent/my.cnf"],
        2,
        "/nonexistent/my.cnf",
    );
    check(
        &[SERVER, "--password-file", "/nonexistent/secret"],
        2,
        "/nonexistent/secret",
    );
}

#[test]
fn a_tool_reads_its_own_arguments() {
    const SERVER: &str = "mysql://root:hunter2@127.0.0.1:1";
    check(&["missing-writes"], 2, "URL_A");
    check(&["missing-writes", SERVER], 2, "URL_B");
    check(
        &["missing-writes", SERVER, SERVER, SERVER],
        2,
        "unexpected argument",
    );
    check(
        &["missing-writes", SERVER, SERVER, "--listen", "x"],
        2,
        "--listen",
    );
    check(
        &["missing-writes", SERVER, "root:hunter2@h"],
        2,
        "mysql://user[:password]@host[:port]",
    );
    check(
        &["missing-writes", SERVER, SERVER],
        2,
        "cannot reach the server at 127.0.0.1:1",
    );
    let help = alterego(&["missing-writes", "--help"]);
    let text = String::from_utf8_lossy(&help.stdout).into_owned();
    assert!(help.status.success() && text.contains("exit status"), "{text}");
}

#[test]
fn what_fails_later_is_status_1() {
    let free = ["--listen", "127.0.0.1:0"];
    // Nothing listens on port 1.
    check(
        &["mysql://root:hunter2@127.0.0.1:1", free[0], free[1]],
        1,
        "cannot reach the server at 127.0.0.1:1",
    );

    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("its address").to_string();
    check(
        &["mysql://root:hunter2@127.0.0.1:1", "--listen", &address],
        1,
        &format!("cannot listen on {address}"),
    );

    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("precious");
    std::fs::write(&file, "text").expect("a file");
    let path = file.to_str().expect("a plain path");
    check(
        &[
            "mysql://root:hunter2@127.0.0.1:1",
            free[0],
            free[1],
            "--socket",
            path,
        ],
        1,
        "not a socket",
    );
    assert_eq!(std::fs::read_to_string(&file).expect("the file"), "text");
}

#[test]
fn the_environment_is_read() {
    let output = Command::new(env!("CARGO_BIN_EXE_alterego"))
        .env_clear()
        .env("ALTEREGO_URL", "mysql://root@127.0.0.1:1")
        .env("ALTEREGO_PASSWORD", "hunter2")
        .args(["--listen", "127.0.0.1:0"])
        .output()
        .expect("the binary runs");
    let stderr = String::from_utf8(output.stderr).expect("stderr is text");
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(
        stderr.contains("cannot reach the server at 127.0.0.1:1"),
        "{stderr}"
    );
}

#[test]
fn help_and_version_are_on_stdout() {
    for (flag, expected) in [
        ("--help", "Examples:"),
        ("-h", "--keep-old-table"),
        ("--version", "alterego "),
    ] {
        let output = alterego(&[flag]);
        assert!(output.status.success() && output.stderr.is_empty());
        let stdout = String::from_utf8(output.stdout).expect("stdout is text");
        assert!(stdout.contains(expected), "{stdout}");
        assert!(!stdout.contains('\u{1b}'), "no colours into a pipe");
    }
}
