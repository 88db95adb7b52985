"""Addresses, credentials, revisions, trees and what git's words mean."""

import base64

import pytest

from rollouts.gitops.source import errors
from rollouts.gitops.source.address import canonical, protocol, redact
from rollouts.gitops.source.credentials import Credentials, credentials_for
from rollouts.gitops.source.revisions import parse_ls_remote, resolve
from rollouts.gitops.source.tree import File, Tree, folder_path, parse_ls_tree

A, B = "a" * 40, "b" * 40


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("https://Host/team/repo.git", "https://host/team/repo"),
        ("https://host/team/repo/", "https://host/team/repo"),
        ("https://user@host/team/repo", "https://host/team/repo"),
    ],
)
def test_spellings_of_one_address_are_equal(one: str, other: str) -> None:
    assert canonical(one) == canonical(other)


def test_the_path_of_an_address_keeps_its_case() -> None:
    assert canonical("https://host/Team") != canonical("https://host/team")


def test_user_and_password_are_hidden_in_every_url_of_a_text() -> None:
    text = "fatal: https://ann:hunter2@host/x and http://token@other/y"
    assert redact(text) == "fatal: https://***@host/x and http://***@other/y"


@pytest.mark.parametrize(
    ("url", "scheme"),
    [
        ("https://host/x", "https"),
        ("git@host:team/x.git", "ssh"),
        ("ssh://git@host/x", "ssh"),
        ("git://host/x", "git"),
    ],
)
def test_the_protocol_of_an_address(url: str, scheme: str) -> None:
    assert protocol(url) == scheme


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("", "is no address"),
        ("--upload-pack=evil", "is no address"),
        ("https://host/a b", "is no address"),
        ("file:///srv/x", "'file' is not allowed"),
        ("/srv/x", "'file' is not allowed"),
        ("ext::sh -c evil", "is no address"),
        ("ext::evil", "is no address"),
        ("ssh://-oProxyCommand=x/y", "begin with"),
        ("https://ann:hunter2@host/x", "holds a password"),
    ],
)
def test_addresses_that_are_refused(url: str, words: str) -> None:
    with pytest.raises(errors.AddressRefused, match=words) as caught:
        protocol(url)
    assert "hunter2" not in str(caught.value)


def secret(kind: str, url: str, **fields: str) -> dict[str, object]:
    data = {key: base64.b64encode(value.encode()).decode() for key, value in {"url": url, **fields}.items()}
    return {"metadata": {"labels": {"argocd.argoproj.io/secret-type": kind}}, "data": data}


def test_the_longest_matching_secret_gives_the_credentials() -> None:
    secrets = [
        secret("repo-creds", "https://host", username="a", password="one"),
        secret("repo-creds", "https://host/team", username="b", password="two"),
        secret("repository", "https://host/team/special.git", username="c", password="three"),
        secret("other", "https://host/team/repo", username="d", password="four"),
    ]
    assert credentials_for("https://host/team/repo", secrets).password == "two"
    assert credentials_for("https://host/team/special", secrets).password == "three"
    assert credentials_for("https://hosts.evil/team", secrets) == Credentials()


def test_credentials_show_no_secret() -> None:
    assert "hunter2" not in repr(Credentials(username="ann", password="hunter2", ssh_private_key="hunter2"))


@pytest.mark.parametrize(
    ("said", "kind", "retry"),
    [
        ("fatal: Authentication failed for 'https://h/'", errors.AuthenticationFailed, False),
        (
            "fatal: could not read Username for 'x': terminal prompts disabled",
            errors.AuthenticationFailed,
            False,
        ),
        ("fatal: repository 'https://h/x/' not found", errors.RepositoryNotFound, False),
        ("fatal: '/x' does not appear to be a git repository", errors.RepositoryNotFound, False),
        ("fatal: couldn't find remote ref refs/heads/x", errors.RevisionNotFound, False),
        ("fatal: remote error: upload-pack: not our ref abc", errors.RevisionNotFound, False),
        ("fatal: transport 'file' not allowed", errors.AddressRefused, False),
        ("fatal: unable to access: Could not resolve host: h", errors.Unreachable, True),
        ("fatal: unable to connect to h: Connection refused", errors.Unreachable, True),
        ("", errors.Unreachable, True),
    ],
)
def test_what_gits_words_mean(said: str, kind: type[errors.SourceError], retry: bool) -> None:
    error = errors.classify(said, "https://h/x")
    assert type(error) is kind
    assert error.retry is retry


REFS = parse_ls_remote(
    f"{A}\tHEAD\n{A}\trefs/heads/main\n{B}\trefs/tags/v1\n{A}\trefs/tags/v1^{{}}\n{B}\trefs/heads/v1.x\n".encode()
)


@pytest.mark.parametrize(
    ("revision", "commit", "ref"),
    [
        ("", A, "HEAD"),
        ("HEAD", A, "HEAD"),
        ("main", A, "refs/heads/main"),
        ("v1", A, "refs/tags/v1"),
        ("refs/heads/main", A, "refs/heads/main"),
        (B, B, ""),
        ("v1.x", B, "refs/heads/v1.x"),
    ],
)
def test_revisions_are_resolved(revision: str, commit: str, ref: str) -> None:
    found = resolve(REFS, revision)
    assert (found.commit, found.ref) == (commit, ref)


@pytest.mark.parametrize(
    ("revision", "words"),
    [("nosuch", "revision not found; the repository has branches main"), ("1.2.*", "range of versions")],
)
def test_revisions_that_cannot_be_resolved(revision: str, words: str) -> None:
    with pytest.raises(errors.RevisionNotFound, match=words):
        resolve(REFS, revision)


def test_an_empty_repository_says_so() -> None:
    with pytest.raises(errors.RevisionNotFound, match="no commit yet"):
        resolve({}, "main")


def tree(*paths: str) -> Tree:
    return Tree(A, [File(path, str(index) * 40, 1) for index, path in enumerate(paths)])


def test_a_folder_is_not_another_one_with_the_same_beginning() -> None:
    found = tree("app/x", "app-2/y", "app/sub/z", "app.yaml", "b").under("app")
    assert [file.path for file in found] == ["app/sub/z", "app/x"]


def test_a_fingerprint_changes_only_with_what_is_below() -> None:
    before, after = tree("a/x", "b/x"), Tree(B, [File("a/x", "0" * 40, 1), File("b/x", "9" * 40, 1)])
    assert before.fingerprint("a") == after.fingerprint("a")
    assert before.fingerprint("b") != after.fingerprint("b")


@pytest.mark.parametrize("path", ["/etc", "../x", "a/../../b"])
def test_a_path_that_leaves_the_repository_is_refused(path: str) -> None:
    with pytest.raises(errors.TreeRefused, match="leaves the repository"):
        folder_path(path)


@pytest.mark.parametrize(("path", "folder"), [(".", ""), ("", ""), ("./a/b/", "a/b"), ("a", "a")])
def test_a_path_in_normal_form(path: str, folder: str) -> None:
    assert folder_path(path) == folder


def test_a_tree_with_a_name_that_leaves_it_is_refused() -> None:
    with pytest.raises(errors.TreeRefused, match="leaves the tree"):
        parse_ls_tree(A, f"100644 blob {B}       3\ta/../../x\0".encode())


def test_links_and_submodules_are_told_apart() -> None:
    rows = (f"120000 blob {B}   3\tlink", f"160000 commit {B}   -\tsub", f"100644 blob {B}  12\tfile")
    out = "\0".join(rows)
    parsed = parse_ls_tree(A, out.encode())
    found = {file.path: (file.is_link, file.is_submodule, file.size) for file in parsed.files}
    assert found == {"link": (True, False, 3), "sub": (False, True, -1), "file": (False, False, 12)}
