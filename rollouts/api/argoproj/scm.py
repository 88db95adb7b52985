"""Generators that ask a forge: its repositories, or the pull requests of one repository."""

from __future__ import annotations

from typing import Annotated

from rollouts.api.argoproj.apptemplate import TemplatedGenerator
from rollouts.api.base import ApiModel, NoneAsEmpty, Strings


class SecretRef(ApiModel):
    """A key of a Secret."""

    secret_name: str
    key: str


class ConfigMapKeyRef(ApiModel):
    """A key of a ConfigMap, such as a CA bundle."""

    config_map_name: str
    key: str


class BasicAuth(ApiModel):
    """A user and where the password is."""

    username: str
    password_ref: SecretRef


class BearerToken(ApiModel):
    """Where the token is."""

    token_ref: SecretRef


class AwsTagFilter(ApiModel):
    """Repositories that carry this tag."""

    key: str
    value: str = ""


class AwsCodeCommitScm(ApiModel):
    """Repositories of AWS CodeCommit."""

    tag_filters: Annotated[tuple[AwsTagFilter, ...], NoneAsEmpty] = ()
    role: str = ""
    region: str = ""
    all_branches: bool = False


class AzureDevOpsScm(ApiModel):
    """Repositories of an Azure DevOps project."""

    organization: str
    team_project: str
    access_token_ref: SecretRef | None = None
    api: str = ""
    all_branches: bool = False


class BitbucketScm(ApiModel):
    """Repositories of a Bitbucket workspace."""

    owner: str
    user: str
    app_password_ref: SecretRef | None = None
    all_branches: bool = False


class BitbucketServerScm(ApiModel):
    """Repositories of a Bitbucket Server project."""

    project: str
    api: str
    basic_auth: BasicAuth | None = None
    bearer_token: BearerToken | None = None
    all_branches: bool = False
    insecure: bool = False
    ca_ref: ConfigMapKeyRef | None = None


class GiteaScm(ApiModel):
    """Repositories of a Gitea owner."""

    owner: str
    api: str
    token_ref: SecretRef | None = None
    all_branches: bool = False
    insecure: bool = False
    exclude_archived_repos: bool = False


class GithubScm(ApiModel):
    """Repositories of a GitHub organization."""

    organization: str
    api: str = ""
    token_ref: SecretRef | None = None
    app_secret_name: str = ""
    all_branches: bool = False
    exclude_archived_repos: bool = False


class GitlabScm(ApiModel):
    """Repositories of a GitLab group."""

    group: str
    include_subgroups: bool = False
    include_shared_projects: bool | None = None
    include_archived_repos: bool = False
    api: str = ""
    token_ref: SecretRef | None = None
    all_branches: bool = False
    insecure: bool = False
    topic: str = ""
    ca_ref: ConfigMapKeyRef | None = None


class ScmFilter(ApiModel):
    """Rules that must all hold; regular expressions and paths. One filter that holds is enough."""

    repository_match: str | None = None
    branch_match: str | None = None
    label_match: str | None = None
    paths_exist: Strings = ()
    paths_do_not_exist: Strings = ()


class ScmProviderGenerator(TemplatedGenerator):
    """One set of parameters for each repository of a forge."""

    github: GithubScm | None = None
    gitlab: GitlabScm | None = None
    gitea: GiteaScm | None = None
    bitbucket: BitbucketScm | None = None
    bitbucket_server: BitbucketServerScm | None = None
    azure_dev_ops: AzureDevOpsScm | None = None
    aws_code_commit: AwsCodeCommitScm | None = None
    filters: Annotated[tuple[ScmFilter, ...], NoneAsEmpty] = ()
    clone_protocol: str = ""
    requeue_after_seconds: int | None = None
    values: dict[str, str] = {}


class AzureDevOpsPullRequests(ApiModel):
    """Pull requests on Azure DevOps."""

    organization: str
    project: str
    repo: str
    api: str = ""
    token_ref: SecretRef | None = None
    labels: Strings = ()


class BitbucketPullRequests(ApiModel):
    """Pull requests on Bitbucket."""

    owner: str
    repo: str
    api: str = ""
    basic_auth: BasicAuth | None = None
    bearer_token: BearerToken | None = None


class BitbucketServerPullRequests(ApiModel):
    """Pull requests on Bitbucket Server."""

    project: str
    repo: str
    api: str
    basic_auth: BasicAuth | None = None
    bearer_token: BearerToken | None = None
    insecure: bool = False
    ca_ref: ConfigMapKeyRef | None = None


class GiteaPullRequests(ApiModel):
    """Pull requests on Gitea."""

    owner: str
    repo: str
    api: str
    token_ref: SecretRef | None = None
    insecure: bool = False
    labels: Strings = ()


class GithubPullRequests(ApiModel):
    """Pull requests on GitHub."""

    owner: str
    repo: str
    api: str = ""
    token_ref: SecretRef | None = None
    app_secret_name: str = ""
    labels: Strings = ()


class GitlabMergeRequests(ApiModel):
    """Merge requests on GitLab."""

    project: str
    api: str = ""
    token_ref: SecretRef | None = None
    labels: Strings = ()
    pull_request_state: str = ""
    insecure: bool = False
    ca_ref: ConfigMapKeyRef | None = None


class PullRequestFilter(ApiModel):
    """Regular expressions that must all match. One filter that holds is enough."""

    branch_match: str | None = None
    target_branch_match: str | None = None
    title_match: str | None = None


class PullRequestGenerator(TemplatedGenerator):
    """One set of parameters for each open pull request."""

    github: GithubPullRequests | None = None
    gitlab: GitlabMergeRequests | None = None
    gitea: GiteaPullRequests | None = None
    bitbucket: BitbucketPullRequests | None = None
    bitbucket_server: BitbucketServerPullRequests | None = None
    azuredevops: AzureDevOpsPullRequests | None = None
    filters: Annotated[tuple[PullRequestFilter, ...], NoneAsEmpty] = ()
    requeue_after_seconds: int | None = None
    values: dict[str, str] = {}
    continue_on_repo_not_found_error: bool = False
