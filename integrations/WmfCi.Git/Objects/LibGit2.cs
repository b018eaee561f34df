using System.Reflection;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace WmfCi.Git;

/// <summary>
/// The object database calls of libgit2, taken from the native library that LibGit2Sharp brings and has loaded.
/// LibGit2Sharp itself offers no raw trees: it decodes names as UTF-8, so a tree with a name in another encoding could not be written back unchanged.
/// </summary>
internal static partial class LibGit2
{
    private const string Library = "git2";
    public const int NotFound = -3;

    static LibGit2()
    {
        NativeLibrary.SetDllImportResolver(typeof(LibGit2).Assembly, (name, _, _) => name == Library ? LoadNative() : IntPtr.Zero);
        _ = Initialize();
    }

    // The file name carries a hash of the version and is known to LibGit2Sharp alone.
    private static nint LoadNative()
    {
        var sharp = typeof(LibGit2Sharp.Repository).Assembly;
        var name = sharp.GetType("LibGit2Sharp.Core.NativeDllName")?.GetField("Name", BindingFlags.Static | BindingFlags.Public | BindingFlags.NonPublic)?.GetValue(null);
        return name is string file ? NativeLibrary.Load(file, sharp, null)
            : throw new InvalidOperationException("This version of LibGit2Sharp does not say how its native library is called");
    }

    [LibraryImport(Library, EntryPoint = "git_libgit2_init")]
    private static partial int Initialize();

    [LibraryImport(Library, EntryPoint = "git_odb_open", StringMarshalling = StringMarshalling.Utf8)]
    public static partial int OdbOpen(out nint odb, string objectsFolder);

    [LibraryImport(Library, EntryPoint = "git_odb_free")]
    public static partial void OdbFree(nint odb);

    [LibraryImport(Library, EntryPoint = "git_odb_read")]
    public static partial int OdbRead(out nint found, OdbHandle odb, ReadOnlySpan<byte> name);

    [LibraryImport(Library, EntryPoint = "git_odb_read_header")]
    public static partial int OdbReadHeader(out nuint size, out int kind, OdbHandle odb, ReadOnlySpan<byte> name);

    [LibraryImport(Library, EntryPoint = "git_odb_object_data")]
    public static partial nint ObjectData(nint found);

    [LibraryImport(Library, EntryPoint = "git_odb_object_size")]
    public static partial nuint ObjectSize(nint found);

    [LibraryImport(Library, EntryPoint = "git_odb_object_type")]
    public static partial int ObjectType(nint found);

    [LibraryImport(Library, EntryPoint = "git_odb_object_free")]
    public static partial void ObjectFree(nint found);

    [LibraryImport(Library, EntryPoint = "git_odb_write")]
    public static partial int OdbWrite(Span<byte> name, OdbHandle odb, ReadOnlySpan<byte> data, nuint length, int kind);
}

/// <summary>An open object database.</summary>
internal sealed class OdbHandle : SafeHandleZeroOrMinusOneIsInvalid
{
    private OdbHandle(nint odb)
        : base(ownsHandle: true) => SetHandle(odb);

    public static OdbHandle Open(string objectsFolder)
    {
        var result = LibGit2.OdbOpen(out var odb, objectsFolder);
        return result == 0 ? new OdbHandle(odb) : throw new GitObjectException($"The object store cannot be opened (libgit2 error {result})");
    }

    protected override bool ReleaseHandle()
    {
        LibGit2.OdbFree(handle);
        return true;
    }
}
