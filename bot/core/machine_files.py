"""Files on which a machine acts by itself when they are pushed, checked out or opened; nobody has to name them.

What a person, a pipeline or a cluster is told to read (charts, manifests, Compose files, Makefiles, package.json) is
not here: to change these is what rules are for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

# Patterns of names, and the machine that acts on the files. Names are in lower case and count at any depth. A pattern
# that ends with `/` means all files below the folder. Braces are alternatives; a star is any characters of a name.
MACHINE_FILES: Mapping[str, str] = {
    # https://git-scm.com/docs/gitmodules, https://git-scm.com/docs/gitattributes,
    # https://git-scm.com/docs/git-config#_includes
    ".{gitmodules,gitattributes,gitconfig}": "Git",
    # With HEAD a folder can be a repository of its own, whose configuration runs commands:
    # https://git-scm.com/docs/git-config#Documentation/git-config.txt-safebareRepository
    "head": "Git",
    # https://github.com/git-lfs/git-lfs/blob/main/docs/man/git-lfs-config.adoc
    ".lfsconfig": "Git LFS",
    # -- hooks
    # https://git-scm.com/docs/git-config#Documentation/git-config.txt-corehooksPath
    "{.githooks,.git-hooks}/": "Git",
    # https://typicode.github.io/husky/
    ".husky/": "Husky",
    ".huskyrc{,.json,.yaml,.yml,.js}": "Husky",
    # https://pre-commit.com/#adding-pre-commit-plugins-to-your-project; https://pre-commit.ci runs it on push
    ".pre-commit-{config,hooks}.{yaml,yml}": "pre-commit",
    # https://lefthook.dev/configuration/
    "{,.}lefthook{,-local}.{yml,yaml,toml,json,jsonc}": "Lefthook",
    ".lefthook{,-local}/": "Lefthook",
    # https://github.com/sds/overcommit#configuration
    ".overcommit.yml": "Overcommit",
    # https://github.com/toplenboren/simple-git-hooks
    "{,.}simple-git-hooks.{json,js,cjs,mjs}": "simple-git-hooks",
    # -- pipelines
    # https://docs.github.com/en/actions/reference/workflows-and-actions/metadata-syntax
    "action.{yml,yaml}": "GitHub Actions",
    # https://docs.gitea.com/usage/actions/overview
    ".gitea/": "Gitea",
    # https://forgejo.org/docs/latest/user/actions/
    ".forgejo/": "Forgejo",
    # https://docs.gitlab.com/ci/yaml/; agents and templates: https://docs.gitlab.com/user/clusters/agent/install/
    "*gitlab-ci*.{yml,yaml}": "GitLab",
    ".gitlab/": "GitLab",
    # https://circleci.com/docs/reference/configuration-reference/
    ".circleci/": "CircleCI",
    # https://www.jenkins.io/doc/book/pipeline/jenkinsfile/
    "{jenkinsfile,jenkinsfile.*,*.jenkinsfile}": "Jenkins",
    # https://learn.microsoft.com/en-us/azure/devops/pipelines/yaml-schema/
    "{,.}azure-pipelines*.{yml,yaml}": "Azure Pipelines",
    "{.azure-pipelines,.azuredevops}/": "Azure DevOps",
    # https://support.atlassian.com/bitbucket-cloud/docs/bitbucket-pipelines-configuration-reference/
    "bitbucket-pipelines.{yml,yaml}": "Bitbucket",
    ".bitbucket/": "Bitbucket",
    # https://docs.travis-ci.com/user/customizing-the-build/
    ".travis.{yml,yaml}": "Travis CI",
    # https://docs.drone.io/yaml/docker/
    ".drone.{yml,yaml,jsonnet,star}": "Drone",
    # https://woodpecker-ci.org/docs/usage/workflows
    ".woodpecker.{yml,yaml,jsonnet}": "Woodpecker",
    ".woodpecker/": "Woodpecker",
    # https://buildkite.com/docs/pipelines/configure/defining-steps
    "{,.}buildkite.{yml,yaml,json}": "Buildkite",
    ".buildkite/": "Buildkite",
    # https://www.appveyor.com/docs/build-configuration/
    "{,.}appveyor.{yml,yaml}": "AppVeyor",
    # https://docs.semaphore.io/reference/pipeline-yaml
    ".semaphore/": "Semaphore",
    # https://www.jetbrains.com/help/teamcity/storing-project-settings-in-version-control.html
    ".teamcity/": "TeamCity",
    # https://cloud.google.com/build/docs/configuring-builds/create-basic-configuration
    "cloudbuild*.{yml,yaml,json}": "Cloud Build",
    # https://docs.aws.amazon.com/codebuild/latest/userguide/build-spec-ref.html
    "buildspec*.{yml,yaml}": "CodeBuild",
    # https://docs.aws.amazon.com/codedeploy/latest/userguide/reference-appspec-file.html
    "appspec.{yml,yaml}": "CodeDeploy",
    # https://docs.aws.amazon.com/codecatalyst/latest/userguide/workflows-concepts.html
    ".codecatalyst/": "CodeCatalyst",
    # https://cirrus-ci.org/guide/writing-tasks/
    ".cirrus.{yml,yaml,star}": "Cirrus CI",
    # https://pipelinesascode.com/docs/
    ".tekton/": "Pipelines as Code",
    # https://man.sr.ht/builds.sr.ht/#integration-with-gitsrht
    ".build.{yml,yaml}": "SourceHut",
    ".builds/": "SourceHut",
    # https://zuul-ci.org/docs/zuul/latest/project-config.html
    "{,.}zuul.yaml": "Zuul",
    "{,.}zuul.d/": "Zuul",
    # https://docs.gocd.org/current/advanced_usage/pipelines_as_code.html
    "*.gocd.{yml,yaml,json}": "GoCD",
    # https://docs.prow.k8s.io/docs/inrepoconfig/
    ".prow.yaml": "Prow",
    ".prow/": "Prow",
    # https://docs.bitrise.io/en/bitrise-ci/references/configuration-yaml-reference.html
    "bitrise.{yml,yaml}": "Bitrise",
    # https://docs.codemagic.io/yaml-basic/yaml-getting-started/
    "codemagic.{yml,yaml}": "Codemagic",
    # https://codefresh.io/docs/docs/pipelines/what-is-the-codefresh-yaml/
    "codefresh.{yml,yaml}": "Codefresh",
    ".codefresh/": "Codefresh",
    # https://developer.harness.io/docs/platform/git-experience/git-experience-overview/
    ".harness/": "Harness",
    # https://go-vela.github.io/docs/usage/getting-started/
    ".vela.{yml,yaml}": "Vela",
    # -- platforms that build and run what is pushed
    # https://docs.netlify.com/build/configure-builds/file-based-configuration/
    "netlify.toml": "Netlify",
    # https://vercel.com/docs/project-configuration
    "vercel.json": "Vercel",
    # https://docs.aws.amazon.com/amplify/latest/userguide/build-settings.html
    "amplify.{yml,yaml}": "Amplify",
    # https://docs.aws.amazon.com/elasticbeanstalk/latest/dg/ebextensions.html
    ".ebextensions/": "Elastic Beanstalk",
    # https://devcenter.heroku.com/articles/build-docker-images-heroku-yml
    "heroku.yml": "Heroku",
    # https://render.com/docs/blueprint-spec
    "render.yaml": "Render",
    # https://docs.railway.com/reference/config-as-code
    "railway.{json,toml}": "Railway",
    # https://docs.upsun.com/
    "{.platform,.upsun}/": "Upsun",
    ".platform.app.yaml": "Upsun",
    # https://docs.readthedocs.com/platform/stable/config-file/v2.html
    "{,.}readthedocs.{yml,yaml}": "Read the Docs",
    # -- infrastructure as code, run for each pull request
    # https://www.runatlantis.io/docs/repo-level-atlantis-yaml
    "atlantis.{yml,yaml}": "Atlantis",
    # https://docs.spacelift.io/concepts/configuration/runtime-configuration
    ".spacelift/": "Spacelift",
    # https://docs.digger.dev/ce/reference/digger.yml
    "digger.{yml,yaml}": "Digger",
    # https://docs.terrateam.io/getting-started/configuration/
    ".terrateam/": "Terrateam",
    # -- editors and shells, when the folder is opened or entered
    # https://code.visualstudio.com/docs/editing/workspaces/workspace-trust
    ".vscode/": "VS Code",
    "*.code-workspace": "VS Code",
    # https://www.jetbrains.com/help/idea/project-security.html
    "{.idea,.fleet}/": "a JetBrains editor",
    # https://zed.dev/docs/configuring-zed
    ".zed/": "Zed",
    # https://containers.dev/implementors/spec/#devcontainerjson
    ".devcontainer/": "the development container",
    ".devcontainer.json": "the development container",
    # https://www.gitpod.io/docs/references/gitpod-yml
    ".gitpod.{yml,yaml}": "Gitpod",
    ".gitpod/": "Gitpod",
    # https://direnv.net/
    ".envrc": "direnv",
    # https://mise.jdx.dev/configuration.html
    "{,.}mise{,.*}.toml": "mise",
    ".mise/": "mise",
    # https://neovim.io/doc/user/options.html#'exrc'
    ".{exrc,vimrc,gvimrc,nvimrc,nvim.lua}": "Vim",
    # https://www.gnu.org/software/emacs/manual/html_node/emacs/Directory-Variables.html
    ".dir-locals{,-2}.el": "Emacs",
    # https://agents.md, https://docs.cursor.com/context/rules, https://modelcontextprotocol.io/docs/develop/connect-local-servers
    "{agents,claude,gemini}.md": "a coding agent",
    "{.claude,.cursor,.gemini,.windsurf}/": "a coding agent",
    "{.mcp.json,.cursorrules,.windsurfrules}": "a coding agent",
    # -- bots that merge, approve or open pull requests
    # https://docs.renovatebot.com/configuration-options/
    "renovate.json{,c,5}": "Renovate",
    ".renovaterc{,.json,.json5}": "Renovate",
    # https://docs.github.com/en/code-security/dependabot/working-with-dependabot/dependabot-options-reference
    "dependabot.{yml,yaml}": "Dependabot",
    ".dependabot/": "Dependabot",
    # https://docs.mergify.com/configuration/file-format/
    ".mergify.{yml,yaml}": "Mergify",
    ".mergify/": "Mergify",
    # https://kodiakhq.com/docs/config-reference
    ".kodiak.toml": "Kodiak",
    # https://bors.tech/documentation/getting-started/
    "bors.toml": "bors",
    # https://github.com/palantir/policy-bot#configuration, https://github.com/palantir/bulldozer#behavior
    ".{policy,bulldozer}.yml": "a bot that merges pull requests",
    # https://docs.pullapprove.com/config/
    ".pullapprove.{yml,yaml}": "PullApprove",
    # Who may approve: https://www.kubernetes.dev/docs/guide/owners/
    "owners{,_aliases}": "Prow",
}
