using System.Buffers;
using System.Runtime.InteropServices;
using System.Text;

namespace WmfCi.Git;

/// <summary>Three versions of a text made into one, line by line, as JGit does it: edits that overlap or touch conflict, unless both sides made the same.</summary>
internal sealed class ContentMerge
{
    /// <summary>Files above this size (50 MiB) are never merged by lines (JGit's limit).</summary>
    public const int MaxTextBytes = 50 * 1024 * 1024;

    private const int BinaryProbe = 8192;
    private const int Base = 0;
    private const int Ours = 1;
    private const int Theirs = 2;
    private static readonly Edit End = new(int.MaxValue, int.MaxValue, 0, 0);
    private readonly byte[][] texts;
    private readonly int[][] starts;
    private readonly int[][] lines;
    private readonly int lineNumbers;
    private readonly List<Chunk> chunks = [];
    private readonly CancellationToken cancellationToken;

    private ContentMerge(byte[] baseText, byte[] ours, byte[] theirs, CancellationToken cancellationToken)
    {
        this.cancellationToken = cancellationToken;
        texts = [baseText, ours, theirs];
        var numbers = new Dictionary<ReadOnlyMemory<byte>, int>(BytesComparer.Instance);
        (starts, lines) = (new int[3][], new int[3][]);
        for (var i = 0; i < texts.Length; i++) (starts[i], lines[i]) = Number(texts[i], numbers);
        lineNumbers = numbers.Count;
    }

    private enum Part
    {
        Agreed,
        ConflictOurs,
        ConflictTheirs,
    }

    /// <summary>Whether JGit refuses to merge it by lines: too large, or a NUL or a carriage return without a line feed in the first 8 KiB.</summary>
    public static bool IsBinary(ReadOnlySpan<byte> data)
    {
        if (data.Length > MaxTextBytes) return true;
        var probe = data[..Math.Min(data.Length, BinaryProbe)];
        if (probe.Contains((byte)0)) return true;
        for (var at = probe.IndexOf((byte)'\r'); at >= 0 && at < probe.Length;)
        {
            if (at + 1 < probe.Length ? probe[at + 1] != '\n' : data.Length <= BinaryProbe) return true;
            var more = probe[(at + 1)..].IndexOf((byte)'\r');
            at = more < 0 ? -1 : at + 1 + more;
        }

        return false;
    }

    /// <summary>Merges; where the sides conflict the text has conflict markers, which JGit uses in virtual merge bases.</summary>
    public static (byte[] Text, bool Conflict) Merge(byte[] baseText, byte[] ours, byte[] theirs, CancellationToken cancellationToken)
    {
        var merge = new ContentMerge(baseText, ours, theirs, cancellationToken);
        if (merge.lines[Ours].Length == 0 || merge.lines[Theirs].Length == 0) merge.MergeWithEmpty();
        else merge.MergeEdits();
        return (merge.Write(), merge.chunks.Exists(chunk => chunk.Part != Part.Agreed));
    }

    // A text emptied on one side: the other side's whole text conflicts if it changed anything.
    private void MergeWithEmpty()
    {
        var (ours, theirs) = (lines[Ours].Length, lines[Theirs].Length);
        var kept = ours == 0 ? Theirs : Ours;
        if (lines[kept].Length == 0 || Edits(kept).Count == 0) chunks.Add(new Chunk(ours == 0 ? Ours : Theirs, 0, 0, Part.Agreed));
        else
        {
            chunks.Add(new Chunk(Ours, 0, ours, Part.ConflictOurs));
            chunks.Add(new Chunk(Theirs, 0, theirs, Part.ConflictTheirs));
        }
    }

    private void MergeEdits()
    {
        var ourEdits = new Queue<Edit>(Edits(Ours));
        var theirEdits = new Queue<Edit>(Edits(Theirs));
        var done = 0; // lines of the base that are dealt with
        var (our, their) = (Next(ourEdits), Next(theirEdits));
        while (our != End || their != End)
        {
            if (our.EndA < their.BeginA)
            {
                done = TakeOne(Ours, our, done);
                our = Next(ourEdits);
            }
            else if (their.EndA < our.BeginA)
            {
                done = TakeOne(Theirs, their, done);
                their = Next(theirEdits);
            }
            else
            {
                var (firstOur, firstTheir) = (our, their);
                var (nextOur, nextTheir) = (Next(ourEdits), Next(theirEdits));
                while (true)
                {
                    if (our.EndA >= nextTheir.BeginA) (their, nextTheir) = (nextTheir, Next(theirEdits));
                    else if (their.EndA >= nextOur.BeginA) (our, nextOur) = (nextOur, Next(ourEdits));
                    else break;
                }

                if (firstOur.BeginA != done && firstTheir.BeginA != done) chunks.Add(new Chunk(Base, done, Math.Min(firstOur.BeginA, firstTheir.BeginA), Part.Agreed));
                TakeBoth(Widened(firstOur, our, firstTheir, their), Widened(firstTheir, their, firstOur, our));
                done = Math.Max(our.EndA, their.EndA);
                (our, their) = (nextOur, nextTheir);
            }
        }

        if (done < lines[Base].Length) chunks.Add(new Chunk(Base, done, lines[Base].Length, Part.Agreed));
    }

    private int TakeOne(int side, Edit edit, int done)
    {
        if (done != edit.BeginA) chunks.Add(new Chunk(Base, done, edit.BeginA, Part.Agreed));
        chunks.Add(new Chunk(side, edit.BeginB, edit.EndB, Part.Agreed));
        return edit.EndA;
    }

    // The lines of one side from where the first of both begins to where the last of both ends.
    private static (int Begin, int End) Widened(Edit first, Edit last, Edit otherFirst, Edit otherLast) =>
        (first.BeginB - Math.Max(0, first.BeginA - otherFirst.BeginA), last.EndB + Math.Max(0, otherLast.EndA - last.EndA));

    private void TakeBoth((int Begin, int End) our, (int Begin, int End) their)
    {
        var (ourLength, theirLength) = (our.End - our.Begin, their.End - their.Begin);
        var shorter = Math.Min(ourLength, theirLength);
        var prefix = 0;
        while (prefix < shorter && lines[Ours][our.Begin + prefix] == lines[Theirs][their.Begin + prefix]) prefix++;
        var suffix = 0;
        while (suffix < shorter - prefix && lines[Ours][our.End - 1 - suffix] == lines[Theirs][their.End - 1 - suffix]) suffix++;
        if (prefix > 0) chunks.Add(new Chunk(Ours, our.Begin, our.Begin + prefix, Part.Agreed));
        if (shorter - prefix - suffix > 0 || ourLength != theirLength)
        {
            chunks.Add(new Chunk(Ours, our.Begin + prefix, our.End - suffix, Part.ConflictOurs));
            chunks.Add(new Chunk(Theirs, their.Begin + prefix, their.End - suffix, Part.ConflictTheirs));
        }

        if (suffix > 0) chunks.Add(new Chunk(Ours, our.End - suffix, our.End, Part.Agreed));
    }

    private List<Edit> Edits(int side) => HistogramDiff.Compare(lines[Base], lines[side], lineNumbers, cancellationToken);

    private static Edit Next(Queue<Edit> edits) => edits.TryDequeue(out var edit) ? edit : End;

    private byte[] Write()
    {
        var output = new LineWriter();
        var missingEnd = false;
        var open = false;
        foreach (var chunk in chunks)
        {
            if (open && chunk.Part != Part.ConflictTheirs) output.WriteMarker(">>>>>>> THEIRS");
            open = chunk.Part != Part.Agreed;
            if (chunk.Part == Part.ConflictOurs) output.WriteMarker("<<<<<<< OURS");
            if (chunk.Part == Part.ConflictTheirs) output.WriteMarker("=======");
            for (var i = chunk.Begin; i < chunk.End; i++) output.WriteLine(texts[chunk.Side].AsSpan(starts[chunk.Side][i]..starts[chunk.Side][i + 1]));
            missingEnd = texts[chunk.Side] is [] or [.., not (byte)'\n'];
        }

        if (open) output.WriteMarker(">>>>>>> THEIRS");
        return output.Finish(missingEnd);
    }

    private static (int[] Starts, int[] Lines) Number(byte[] text, Dictionary<ReadOnlyMemory<byte>, int> numbers)
    {
        var (starts, lines) = (new List<int> { 0 }, new List<int>());
        for (var at = 0; at < text.Length;)
        {
            var length = text.AsSpan(at).IndexOf((byte)'\n') + 1;
            if (length == 0) length = text.Length - at;
            var line = text.AsMemory(at, length);
            if (!numbers.TryGetValue(line, out var number)) numbers[line] = number = numbers.Count;
            lines.Add(number);
            starts.Add(at += length);
        }

        return ([.. starts], [.. lines]);
    }

    [StructLayout(LayoutKind.Auto)]
    private readonly record struct Chunk(int Side, int Begin, int End, Part Part);

    // Line ends are written late, so that the last line can be left without one.
    private sealed class LineWriter
    {
        private readonly ArrayBufferWriter<byte> text = new();
        private bool atLineStart = true;

        public void WriteMarker(string marker)
        {
            StartLine();
            text.Write(Encoding.ASCII.GetBytes(marker + "\n"));
        }

        public void WriteLine(ReadOnlySpan<byte> line)
        {
            StartLine();
            var content = line is [.., (byte)'\n'] ? line[..^1] : line;
            text.Write(content);
            if (content.IsEmpty) text.Write("\n"u8);
            else atLineStart = false;
        }

        public byte[] Finish(bool withoutLineEnd)
        {
            if (!withoutLineEnd) StartLine();
            return text.WrittenSpan.ToArray();
        }

        private void StartLine()
        {
            if (!atLineStart) text.Write("\n"u8);
            atLineStart = true;
        }
    }
}
