using System.Runtime.InteropServices;

namespace WmfCi.Git;

/// <summary>Lines <c>[BeginA, EndA)</c> of one text stand where <c>[BeginB, EndB)</c> of the other do.</summary>
[StructLayout(LayoutKind.Auto)]
internal readonly record struct Edit(int BeginA, int EndA, int BeginB, int EndB)
{
    public int LengthA => EndA - BeginA;

    public int LengthB => EndB - BeginB;

    public bool IsEmpty => LengthA == 0 && LengthB == 0;

    public bool IsInsertion => LengthA == 0 && LengthB > 0;

    public bool IsDeletion => LengthA > 0 && LengthB == 0;

    public bool IsReplacement => LengthA > 0 && LengthB > 0;

    public Edit Shift(int by) => new(BeginA + by, EndA + by, BeginB + by, EndB + by);
}
