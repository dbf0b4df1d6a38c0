//! Throw-away database servers: the installed programs on a folder and a port of their own, run by
//! an ordinary user, one for the whole test binary. A watcher holds each: it ends the server when
//! this process is gone, however it went.

use std::{
    fs,
    net::TcpListener,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{ChildStdin, Command, Stdio},
    sync::{Mutex, OnceLock},
    time::{Duration, Instant},
};

/// The password of every user, with what has to be escaped in a URL.
const PASSWORD: &str = "p@ss:w/rd #1";
const ESCAPED: &str = "p%40ss%3Aw%2Frd%20%231";

/// How long a server may take to start.
const PATIENCE: Duration = Duration::from_mins(1);

/// Starts a program, says what it waits for, and ends it with its parent: standard input is held by
/// this process alone, and ends with it.
const WATCH: &str = r#"folder=$1; signal=$2; shift 2
"$@" >"$folder/log" 2>&1 </dev/null &
server=$!
echo started
cat >/dev/null
kill -s "$signal" "$server"
wait "$server"
rm -rf "$folder"
"#;

/// A running server.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) port: u16,
    pub(crate) folder: PathBuf,
    client: PathBuf,
    /// Ends with this process, and the server with it.
    _watcher: ChildStdin,
}

/// The shared PostgreSQL server; `None`, with a line that says so, where it is not installed.
pub(crate) fn postgres() -> Option<&'static Server> {
    static SERVER: OnceLock<Option<Server>> = OnceLock::new();
    SERVER.get_or_init(|| found("PostgreSQL", postgres_folder(), start_postgres)).as_ref()
}

/// The shared MariaDB server; `None`, with a line that says so, where it is not installed.
pub(crate) fn mariadb() -> Option<&'static Server> {
    static SERVER: OnceLock<Option<Server>> = OnceLock::new();
    SERVER.get_or_init(|| found("MariaDB", program("mariadbd"), start_mariadb)).as_ref()
}

/// The shared pooler in front of the PostgreSQL server; `None`, with a line that says so, where one of
/// them is not installed.
pub(crate) fn pooler() -> Option<&'static Server> {
    static POOLER: OnceLock<Option<Server>> = OnceLock::new();
    let start = |host: &Server| found("PgBouncer", program("pgbouncer"), |program| start_pooler(program, host));
    POOLER.get_or_init(|| postgres().and_then(start)).as_ref()
}

fn found(name: &str, programs: Option<PathBuf>, start: impl FnOnce(&Path) -> Server) -> Option<Server> {
    let Some(programs) = programs else {
        #[expect(clippy::disallowed_methods, reason = "whether servers are required is said to the tests this way")]
        let required = std::env::var_os("REQUIRE_SERVERS").is_some();
        assert!(!required, "{name} is not installed, and REQUIRE_SERVERS is set");
        println!("skipped: {name} is not installed");
        return None;
    };
    Some(start(&programs))
}

fn postgres_folder() -> Option<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let newest = versions.map(|entry| entry.path().join("bin")).filter(|bin| bin.join("initdb").exists()).max();
    newest.or_else(|| Some(program("initdb")?.parent()?.to_owned()))
}

fn program(name: &str) -> Option<PathBuf> {
    ["/usr/sbin", "/usr/bin", "/usr/local/sbin", "/usr/local/bin", "/opt/homebrew/bin"]
        .iter()
        .map(|folder| Path::new(folder).join(name))
        .find(|path| path.exists())
}

fn is_root() -> bool {
    let output = Command::new("id").arg("-u").output().expect("`id` runs");
    output.stdout.trim_ascii() == b"0"
}

/// The program and its arguments, as an ordinary user also where the tests are run by root.
fn as_user(user: &str, program: &Path) -> Vec<String> {
    let mut line = Vec::new();
    if is_root() {
        let drop = ["setpriv", "--reuid", user, "--regid", user, "--init-groups", "--"];
        line.extend(drop.map(str::to_owned));
    }
    line.push(program.display().to_string());
    line
}

fn run(line: &[String], arguments: &[&str]) {
    let output = Command::new(&line[0]).args(&line[1..]).args(arguments).output().expect("the program starts");
    assert!(output.status.success(), "{line:?} {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// A folder that belongs to the user.
fn folder(user: &str) -> PathBuf {
    let folder = tempfile::Builder::new().prefix("mcp-bridge-").tempdir().expect("a folder").keep();
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).expect("a folder that others may enter");
    if is_root() {
        run(&["chown".into(), user.into()], &[&folder.display().to_string()]);
    }
    folder
}

fn free_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    listener.local_addr().expect("an address").port()
}

#[expect(clippy::zombie_processes, reason = "it outlives this process by the end of the server")]
fn watch(folder: &Path, signal: &str, server: &[String]) -> ChildStdin {
    let mut watcher = Command::new("sh");
    watcher.args(["-c", WATCH, "watch"]).arg(folder).arg(signal).args(server);
    // A signal from the terminal is for the tests; the watcher goes by the end of its input.
    std::os::unix::process::CommandExt::process_group(&mut watcher, 0);
    let mut child = watcher.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().expect("`sh` starts");
    child.stdin.take().expect("an input")
}

fn start_postgres(programs: &Path) -> Server {
    let folder = folder("postgres");
    let (data, password) = (folder.join("data"), folder.join("password"));
    fs::write(&password, PASSWORD).expect("the folder can be written");
    let paths = (data.display().to_string(), password.display().to_string());
    let initdb = as_user("postgres", &programs.join("initdb"));
    let fixed = ["-U", "admin", "-A", "scram-sha-256", "-E", "UTF8", "--locale=C", "--no-sync"];
    run(&initdb, &[&fixed[..], &["--pwfile", &paths.1, "-D", &paths.0]].concat());
    certificate("postgres", &folder, &data);
    let port = free_port();
    let mut server = as_user("postgres", &programs.join("postgres"));
    let sockets = format!("unix_socket_directories={}", folder.display());
    for setting in [
        &format!("port={port}") as &str,
        "listen_addresses=127.0.0.1",
        &sockets,
        "fsync=off",
        "shared_buffers=16MB",
        "max_connections=200",
        "ssl=on",
    ] {
        server.extend(["-c".to_owned(), setting.to_owned()]);
    }
    server.extend(["-D".to_owned(), paths.0]);
    let server = Server { port, client: programs.join("psql"), _watcher: watch(&folder, "QUIT", &server), folder };
    server.await_start("SELECT 1");
    let escaped = PASSWORD.replace('\'', "''");
    server.admin("postgres", &format!("CREATE ROLE app LOGIN PASSWORD '{escaped}'"));
    server
}

fn start_mariadb(server: &Path) -> Server {
    let folder = folder("mysql");
    let install = program("mariadb-install-db").expect("a program that makes the first tables");
    let data = format!("--datadir={}", folder.join("data").display());
    run(&as_user("mysql", &install), &["--no-defaults", &data, "--auth-root-authentication-method=normal"]);
    certificate("mysql", &folder, &folder);
    let port = free_port();
    let mut server = as_user("mysql", server);
    let file = |name: &str| folder.join(name).display().to_string();
    for setting in [
        "--no-defaults",
        &data,
        &format!("--port={port}"),
        "--bind-address=127.0.0.1",
        &format!("--socket={}", file("socket")),
        &format!("--pid-file={}", file("pid")),
        &format!("--ssl-cert={}", file("server.crt")),
        &format!("--ssl-key={}", file("server.key")),
        "--skip-log-bin",
        "--skip-name-resolve",
        "--innodb-buffer-pool-size=32M",
        "--innodb-flush-log-at-trx-commit=0",
        "--max-connections=100",
        // Not what the bridge wants, so that it is seen to set what it wants.
        "--character-set-server=latin1",
        "--default-time-zone=+05:00",
        "--sql-mode=ANSI_QUOTES,PIPES_AS_CONCAT,NO_BACKSLASH_ESCAPES",
        "--local-infile=1",
    ] {
        server.push(setting.to_owned());
    }
    let client = program("mariadb").expect("the client");
    let server = Server { port, client, _watcher: watch(&folder, "TERM", &server), folder };
    server.await_start("SELECT 1");
    let escaped = PASSWORD.replace('\'', "''");
    // Who comes through the socket would be taken for nobody.
    server.admin("mysql", "DELETE FROM global_priv WHERE User = ''; FLUSH PRIVILEGES");
    server.admin("mysql", &format!("CREATE USER app IDENTIFIED BY '{escaped}'"));
    server.admin("mysql", &format!("GRANT ALL ON *.* TO admin IDENTIFIED BY '{escaped}' WITH GRANT OPTION"));
    server
}

/// `PgBouncer` in its transaction mode, with fewer connections than clients.
fn start_pooler(program: &Path, host: &Server) -> Server {
    let folder = folder("postgres");
    let (port, users) = (free_port(), folder.join("users"));
    fs::write(&users, format!("\"app\" \"{PASSWORD}\"\n\"admin\" \"{PASSWORD}\"\n")).expect("a file");
    let settings = format!(
        "[databases]\n* = host=127.0.0.1 port={}\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\n\
         unix_socket_dir = {}\nauth_type = scram-sha-256\nauth_file = {}\npool_mode = transaction\ndefault_pool_size = 2\n",
        host.port,
        folder.display(),
        users.display()
    );
    let file = folder.join("pgbouncer.ini");
    fs::write(&file, settings).expect("a file");
    let mut server = as_user("postgres", program);
    server.push(file.display().to_string());
    let server = Server { port, client: host.client.clone(), _watcher: watch(&folder, "INT", &server), folder };
    let since = Instant::now();
    // Not by its port: who connects there again and again before anybody listens is at some time given the
    // same port for itself, is connected with itself, and keeps it.
    let socket = server.folder.join(format!(".s.PGSQL.{port}"));
    while std::os::unix::net::UnixStream::connect(&socket).is_err() {
        assert!(since.elapsed() < PATIENCE, "{}", fs::read_to_string(server.folder.join("log")).unwrap_or_default());
        std::thread::yield_now();
    }
    server
}

/// A certificate for `localhost` that no system trusts, for the server to show.
fn certificate(user: &str, folder: &Path, data: &Path) {
    let (key, certificate) = (data.join("server.key"), data.join("server.crt"));
    let paths = (key.display().to_string(), certificate.display().to_string());
    let fixed = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"];
    let names = [
        "-addext",
        "subjectAltName=DNS:localhost",
        "-addext",
        "basicConstraints=critical,CA:FALSE",
        "-keyout",
        &paths.0,
        "-out",
        &paths.1,
    ];
    run(&as_user(user, Path::new("openssl")), &[&fixed[..], &names].concat());
    fs::copy(&certificate, folder.join("ca.pem")).expect("the certificate can be read");
}

impl Server {
    fn is_postgres(&self) -> bool {
        self.client.ends_with("psql")
    }

    fn client(&self, database: &str, sql: &str) -> Command {
        let mut command = Command::new(&self.client);
        if self.is_postgres() {
            command.env("PGPASSWORD", PASSWORD).env("PGHOST", &self.folder).env("PGPORT", self.port.to_string());
            command.args(["-X", "-At", "-U", "admin", "-v", "ON_ERROR_STOP=1", "-d", database, "-c", sql]);
        } else {
            command.args(["--no-defaults", "-u", "root", "-N", "-B", "--default-character-set=utf8mb4"]);
            command.arg(format!("--socket={}", self.folder.join("socket").display()));
            command.args(["-e", sql, database]);
        }
        command
    }

    fn await_start(&self, sql: &str) {
        let database = if self.is_postgres() { "postgres" } else { "mysql" };
        let since = Instant::now();
        while !self.client(database, sql).output().expect("the client starts").status.success() {
            assert!(since.elapsed() < PATIENCE, "{}", fs::read_to_string(self.folder.join("log")).unwrap_or_default());
            std::thread::yield_now();
        }
    }

    /// Runs SQL as the administrator and returns what it prints.
    pub(crate) fn admin(&self, database: &str, sql: &str) -> String {
        let output = self.client(database, sql).output().expect("the client starts");
        assert!(output.status.success(), "{sql}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).trim_end().to_owned()
    }

    /// Makes a database for one test, in which `app` may read and write what the script makes.
    pub(crate) fn database(&self, name: &str, script: &str) {
        static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
        let _turn = ONE_AT_A_TIME.lock();
        if self.is_postgres() {
            self.admin("postgres", &format!("CREATE DATABASE {name}"));
            self.admin(name, script);
            self.admin(name, "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO app");
            self.admin(name, "GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO app");
        } else {
            self.admin("mysql", &format!("CREATE DATABASE {name} CHARACTER SET utf8mb4"));
            self.admin(name, script);
            self.admin("mysql", &format!("GRANT SELECT, INSERT, UPDATE, DELETE ON {name}.* TO app"));
        }
    }

    /// The URL of a database for a user: `app`, or the administrator.
    pub(crate) fn url(&self, user: &str, database: &str) -> String {
        let scheme = if self.is_postgres() { "postgres" } else { "mariadb" };
        let password = if user == "root" { String::new() } else { format!(":{ESCAPED}") };
        format!("{scheme}://{user}{password}@127.0.0.1:{}/{database}", self.port)
    }
}
