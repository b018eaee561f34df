using System.Runtime.InteropServices;

namespace WmfCi.Pod;

/// <summary>A list of byte strings as C programs take it: each ends with NUL, and the list with a null pointer.</summary>
internal sealed unsafe class NativeStrings : IDisposable
{
    private readonly byte** _pointers;

    /// <param name="strings">Without NUL; whatever is behind one is cut off by whoever reads.</param>
    public NativeStrings(IReadOnlyList<byte[]> strings)
    {
        var total = (nuint)((strings.Count + 1) * sizeof(byte*));
        foreach (var text in strings) total += (nuint)text.Length + 1;
        _pointers = (byte**)NativeMemory.AllocZeroed(total);
        var at = (byte*)(_pointers + strings.Count + 1);
        for (var i = 0; i < strings.Count; i++)
        {
            _pointers[i] = at;
            strings[i].CopyTo(new Span<byte>(at, strings[i].Length));
            at += strings[i].Length + 1;
        }
    }

    public byte** Pointers => _pointers;

    public void Dispose() => NativeMemory.Free(_pointers);
}
