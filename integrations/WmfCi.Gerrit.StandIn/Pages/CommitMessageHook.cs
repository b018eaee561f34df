namespace WmfCi.Gerrit.StandIn.Pages;

/// <summary>The hook that adds a Change-Id to commit messages, which a real server hands out at the same address.</summary>
internal static class CommitMessageHook
{
    public const string Script = """
        #!/bin/sh
        # Adds a Change-Id to the message of a commit that has none, so that Gerrit knows the change again when it is amended.
        file=${1:?the name of the file with the message is missing}
        [ "$(git config --get gerrit.createChangeId)" != false ] || exit 0
        case $(head -n 1 "$file") in 'fixup!'*|'squash!'*) exit 0 ;; esac
        git stripspace --strip-comments <"$file" | grep -q . || exit 0
        ! git interpret-trailers --parse <"$file" | grep -qi '^Change-Id:' || exit 0
        id=$({ git var GIT_COMMITTER_IDENT; git write-tree; git rev-parse --quiet --verify HEAD; cat "$file"; } | git hash-object --stdin)
        git interpret-trailers --in-place --trailer "Change-Id: I$id" "$file"

        """;
}
