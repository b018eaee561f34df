using System.Globalization;
using System.Text;

namespace WmfCi.Git;

/// <summary>
/// Writes a tar whose bytes follow from what is in it alone: no owners, one time for everything. System.Formats.Tar takes names as text only;
/// git's are bytes, and must arrive as they are. Long names are written as GNU tar does, which every tar reads.
/// </summary>
internal sealed class TarStream(Stream output)
{
    private const int Block = 512;
    private const int NameField = 100;
    private const long MaxOctal = 0x1FFFFFFFF; // eleven octal digits: 8 GiB
    private static readonly byte[] Zeros = new byte[2 * Block];
    private readonly byte[] header = new byte[Block];

    public async Task Folder(ReadOnlyMemory<byte> path, CancellationToken cancellationToken) =>
        await Header(new Entry('5', (byte[])[.. path.Span, (byte)'/'], default, 0x1ED, 0), cancellationToken); // 0755

    public async Task Link(ReadOnlyMemory<byte> path, ReadOnlyMemory<byte> target, CancellationToken cancellationToken) =>
        await Header(new Entry('2', path, target, 0x1FF, 0), cancellationToken); // 0777

    public async Task File(ReadOnlyMemory<byte> path, bool executable, ReadOnlyMemory<byte> content, CancellationToken cancellationToken)
    {
        await Header(new Entry('0', path, default, Mode(executable), content.Length), cancellationToken);
        await output.WriteAsync(content, cancellationToken);
        await Pad(content.Length, cancellationToken);
    }

    public async Task File(ReadOnlyMemory<byte> path, Stream content, CancellationToken cancellationToken)
    {
        var length = content.Length;
        await Header(new Entry('0', path, default, Mode(executable: false), length), cancellationToken);
        await content.CopyToAsync(output, cancellationToken);
        await Pad(length, cancellationToken);
    }

    /// <summary>Two empty blocks. The output stays open.</summary>
    public async Task End(CancellationToken cancellationToken) => await output.WriteAsync(Zeros, cancellationToken);

    private static int Mode(bool executable) => executable ? 0x1ED : 0x1A4; // 0755, 0644

    private async Task Pad(long length, CancellationToken cancellationToken)
    {
        var rest = (int)(length % Block);
        if (rest > 0) await output.WriteAsync(Zeros.AsMemory(0, Block - rest), cancellationToken);
    }

    private async Task Header(Entry entry, CancellationToken cancellationToken)
    {
        if (entry.Target.Length > NameField) await LongName('K', entry.Target, cancellationToken);
        if (entry.Name.Length > NameField) await LongName('L', entry.Name, cancellationToken);
        Fill(entry);
        await output.WriteAsync(header, cancellationToken);
    }

    private async Task LongName(char kind, ReadOnlyMemory<byte> text, CancellationToken cancellationToken)
    {
        Fill(new Entry(kind, "././@LongLink"u8.ToArray(), default, 0, text.Length + 1));
        await output.WriteAsync(header, cancellationToken);
        await output.WriteAsync(text, cancellationToken);
        await output.WriteAsync(Zeros.AsMemory(0, 1), cancellationToken);
        await Pad(text.Length + 1, cancellationToken);
    }

    private void Fill(Entry entry)
    {
        if (entry.Size > MaxOctal) throw new SnapshotTooLargeException("A file of more than 8 GiB cannot go into a snapshot");
        header.AsSpan().Clear();
        entry.Name.Span[..Math.Min(NameField, entry.Name.Length)].CopyTo(header);
        Octal(100, 8, entry.Mode);
        Octal(108, 8, 0);
        Octal(116, 8, 0);
        Octal(124, 12, entry.Size);
        Octal(136, 12, 0);
        header.AsSpan(148, 8).Fill((byte)' ');
        header[156] = (byte)entry.Kind;
        entry.Target.Span[..Math.Min(NameField, entry.Target.Length)].CopyTo(header.AsSpan(157));
        "ustar  \0"u8.CopyTo(header.AsSpan(257));
        var sum = 0;
        foreach (var one in header) sum += one;
        Octal(148, 7, sum);
        header[155] = (byte)' ';
    }

    private void Octal(int at, int width, long value)
    {
        var digits = Convert.ToString(value, 8).PadLeft(width - 1, '0');
        Encoding.ASCII.GetBytes(digits.ToString(CultureInfo.InvariantCulture), header.AsSpan(at));
        header[at + width - 1] = 0;
    }

    private sealed record Entry(char Kind, ReadOnlyMemory<byte> Name, ReadOnlyMemory<byte> Target, int Mode, long Size);
}
