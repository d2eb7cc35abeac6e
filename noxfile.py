"""Every check this project knows; plain `nox` runs what a change must pass."""

from __future__ import annotations

from pathlib import Path

import nox

nox.needs_version = ">=2025.10.14"
nox.options.default_venv_backend = "uv|virtualenv"
nox.options.download_python = "never"
nox.options.reuse_venv = "yes"
nox.options.sessions = ["lint", "typing", "docs", "clients", "parity", "tests"]

PROJECT = nox.project.load_toml("pyproject.toml")
PYTHONS = nox.project.python_versions(PROJECT)

# 106 is about the style of imports, 114 about lists of names, 910 and 911 about libraries of
# primitives (a checkpoint in every function), 127 about httpx, which was chosen knowingly.
TRIO_RULES = (
    "--enable=ASYNC",
    "--disable=ASYNC106,ASYNC114,ASYNC127,ASYNC910,ASYNC911",
    "--transform-async-generator-decorators=as_safe_channel",
)

EVERYWHERE = (
    "not browser and not clients and not deploy and not keyring and not parity and not torture"
)
"""The tests that need nothing but what pip installs, and little time."""

# Clients that are written in JavaScript, and what they need beside.
NPM_PACKAGES = (
    "@agentclientprotocol/codex-acp@2.6.0",
    "ai@7.0.173",
    "ai-sdk-provider-codex-app-server@1.1.7",
    "ai-sdk-provider-codex-cli@2.2.1",
    "zod@4.6.7",
)
NPM_FLAGS = ("--no-audit", "--no-fund", "--loglevel=error")


def install(session: nox.Session, *groups: str) -> None:
    """Install the package as it stands, with some of its dependency groups."""
    session.install("-e.", *nox.project.dependency_groups(PROJECT, *groups))


@nox.session
def lint(session: nox.Session) -> None:
    """Check format and style; `nox -s lint -- --fix` mends what it can."""
    fix = "--fix" in session.posargs
    session.install(*nox.project.dependency_groups(PROJECT, "lint"))
    session.run("ruff", "format", *([] if fix else ["--check"]), ".")
    session.run("ruff", "check", *(["--fix"] if fix else []), ".")
    session.run("flake8-async", *TRIO_RULES)  # the files git knows


@nox.session
def typing(session: nox.Session) -> None:
    """Check types, strictly, in the package and in its tests."""
    install(session, "typing")
    session.run("mypy", *session.posargs)


@nox.session
def docs(session: nox.Session) -> None:
    """Build the manual; a broken reference is an error."""
    install(session, "docs")
    session.run("python", "docs/make_protocol.py", "--check")
    session.run("sphinx-build", "-nW", "--keep-going", "-b", "html", "docs", "docs/_build")


@nox.session
def clients(session: nox.Session) -> None:
    """Let unmodified clients of the genuine server work with ours.

    With CODEX_TRIO_CLIENTS_SERVER they work with any other server.
    """
    install(session, "clients")
    folder = Path(session.create_tmp(), "npm")
    folder.mkdir(exist_ok=True)
    # Their optional part is the genuine server, which they get to do without.
    flags = (f"--prefix={folder}", "--omit=optional", *NPM_FLAGS)
    session.run("npm", "install", *flags, *NPM_PACKAGES)
    session.env["CODEX_TRIO_NPM"] = str(folder.resolve())
    session.run("pytest", "tests/clients", "-m", "clients", *session.posargs)


@nox.session
def parity(session: nox.Session) -> None:
    """Run the same scripts on the genuine server and on ours, and compare."""
    install(session, "test")
    session.run("pytest", "tests/parity", "-m", "parity", *session.posargs)


@nox.session(python=PYTHONS)
def tests(session: nox.Session) -> None:
    """Run the tests; without arguments, require that they cover every branch."""
    install(session, "test")
    chosen = session.posargs or ["-m", EVERYWHERE]
    session.run("coverage", "erase")
    session.run("coverage", "run", "-m", "pytest", *chosen)
    if not session.posargs:
        session.run("coverage", "combine", "--quiet")
        session.run("coverage", "report")


@nox.session(venv_backend="uv", default=False)
def minimums(session: nox.Session) -> None:
    """Run the tests against the oldest dependencies that we claim to support."""
    session.install("-e.", "--group=test", "--resolution=lowest-direct")
    session.run("pytest", "-m", EVERYWHERE, *session.posargs)


@nox.session(default=False)
def browser(session: nox.Session) -> None:
    """Sign in with a real Chromium, which must be installed, and look at the pages.

    `nox -s browser -- --screenshots DIR` keeps what it showed.
    """
    install(session, "browser")
    session.run("pytest", "tests/browser", "-m", "browser", *session.posargs)


@nox.session(default=False)
def keyring(session: nox.Session) -> None:
    """Keep credentials in a real keyring; needs dbus-daemon and gnome-keyring-daemon."""
    install(session, "test")
    session.run(
        "pytest", "tests/account/test_secret_service.py", "-m", "keyring", *session.posargs
    )


@nox.session(default=False)
def deploy(session: nox.Session) -> None:
    """Try the files of docs/deploy.md with a real nginx, which must be installed."""
    install(session, "test")
    session.run("pytest", "tests/deploy", "-m", "deploy", *session.posargs)


@nox.session(default=False)
def benchmarks(session: nox.Session) -> None:
    """Measure ours and the genuine server side by side; see docs/performance.md."""
    install(session, "bench")
    session.run("python", "-m", "benchmarks", *session.posargs)


@nox.session(default=False)
def torture(session: nox.Session) -> None:
    """Be unkind to a server for ten minutes at most; see docs/torture.md.

    `nox -s torture -- --write-docs` writes that page. Of everything the usual tests have a short
    version.
    """
    install(session, "test")
    # It is not to be had everywhere; what needs it says that it is left out then.
    fuzzer = nox.project.dependency_groups(PROJECT, "fuzz")
    session.install(*fuzzer, success_codes=range(256))
    # Some stories are longer than a test may usually be.
    more = ("-o", "faulthandler_timeout=300")
    session.run("pytest", "tests/torture", "-m", "torture", *more, *session.posargs)
