using System.Buffers;
using System.Collections.Immutable;
using System.Globalization;
using System.Text;

namespace WmfCi.Git;

/// <summary>Makes commits whose ids follow from their inputs alone: no clock, no configuration.</summary>
internal sealed class CommitWriter(BareRepository repository, MergeSettings settings)
{
    /// <summary>The merge of two tips, dated with the later of them.</summary>
    public CommitData Merge(ObjectName tree, CommitData ours, CommitData theirs)
    {
        var identity = Identity(Later(ours, theirs));
        var text = string.Create(CultureInfo.InvariantCulture, $"Merge {theirs.Id} into {ours.Id}\n\n{Subject(theirs)}\n");
        return Stage(tree, [ours.Id, theirs.Id], identity, (identity, default, Encoding.UTF8.GetBytes(text)));
    }

    /// <summary>A commit taken onto another tip, which replaces its first parent: its author and message, dated with the later of the two.</summary>
    public CommitData Move(ObjectName tree, CommitData onto, CommitData moved) =>
        Stage(tree, [onto.Id, .. moved.Parents.Skip(1)], Identity(Later(onto, moved)), (moved.Author, moved.Encoding, moved.Message));

    private static CommitData Later(CommitData left, CommitData right) => right.CommitTime > left.CommitTime ? right : left;

    private static string Subject(CommitData commit)
    {
        var line = commit.Message.Span;
        var end = line.IndexOf((byte)'\n');
        return Encoding.UTF8.GetString(end < 0 ? line : line[..end]).Replace("\0", string.Empty, StringComparison.Ordinal);
    }

    private byte[] Identity(CommitData dated) =>
        Encoding.UTF8.GetBytes(string.Create(CultureInfo.InvariantCulture, $"{Plain(settings.IdentityName)} <{Plain(settings.IdentityEmail)}> {dated.CommitTime} {dated.Zone}"));

    private static string Plain(string text) =>
        text.AsSpan().ContainsAny("<>\n\0") ? throw new ArgumentException("The identity of merge commits must not hold angle brackets, line ends or NUL", nameof(text)) : text;

    private CommitData Stage(ObjectName tree, ImmutableArray<ObjectName> parents, byte[] committer, (ReadOnlyMemory<byte> Author, ReadOnlyMemory<byte> Encoding, ReadOnlyMemory<byte> Message) text)
    {
        var buffer = new ArrayBufferWriter<byte>();
        Line(buffer, "tree ", Encoding.ASCII.GetBytes(tree.ToString()));
        foreach (var parent in parents) Line(buffer, "parent ", Encoding.ASCII.GetBytes(parent.ToString()));
        Line(buffer, "author ", text.Author.Span);
        Line(buffer, "committer ", committer);
        if (!text.Encoding.IsEmpty) Line(buffer, "encoding ", text.Encoding.Span);
        buffer.Write("\n"u8);
        buffer.Write(text.Message.Span);
        return repository.Commit(repository.Stage(ObjectKind.Commit, buffer.WrittenSpan.ToArray()));
    }

    private static void Line(ArrayBufferWriter<byte> buffer, string key, ReadOnlySpan<byte> value)
    {
        buffer.Write(Encoding.ASCII.GetBytes(key));
        buffer.Write(value);
        buffer.Write("\n"u8);
    }
}
