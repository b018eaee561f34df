using System.ComponentModel;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace WmfCi.Workspaces;

/// <summary>The few calls that .NET does not offer and that keep links from being followed: its own file APIs follow every link.</summary>
public static partial class NativeFiles
{
    private const int WriteOnly = 0x1, Create = 0x40, Exclusive = 0x80, NonBlocking = 0x800, CloseOnExec = 0x80000;
    private const UnixFileMode Passable = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute
        | UnixFileMode.GroupRead | UnixFileMode.GroupExecute | UnixFileMode.OtherRead | UnixFileMode.OtherExecute;
    private const int EmptyPath = 0x1000, WantedFields = 0x7ff;

    // The one flag here whose value differs between architectures.
    private static readonly int NoFollow = RuntimeInformation.ProcessArchitecture is Architecture.Arm64 or Architecture.Arm ? 0x8000 : 0x20000;

    /// <summary>Makes a file that did not exist; a link of its name, even a dangling one, is an error.</summary>
    /// <exception cref="IOException">It exists, or it cannot be made.</exception>
    public static SafeFileHandle CreateFile(string path, int mode) =>
        Handle(Open(path, WriteOnly | Create | Exclusive | NoFollow | CloseOnExec, mode), path);

    /// <summary>Opens what must be a plain file. It neither follows a link nor waits for the other end of a pipe.</summary>
    /// <exception cref="IOException">It is a link, or it cannot be opened.</exception>
    public static SafeFileHandle OpenForReading(string path) => Handle(Open(path, NoFollow | NonBlocking | CloseOnExec, 0), path);

    /// <summary>Makes a symbolic link.</summary>
    /// <exception cref="IOException">The name is taken, or the link cannot be made.</exception>
    public static void CreateLink(string target, string path)
    {
        if (Symlink(target, path) != 0) throw LastError(path);
    }

    /// <summary>Gives an open file to a user and the group of the same number.</summary>
    /// <exception cref="IOException">The owner cannot be changed.</exception>
    public static void GiveTo(SafeFileHandle file, int user)
    {
        if (ChangeOwnerOfHandle(file, user, user) != 0) throw LastError("an open file");
    }

    /// <summary>Gives a file, a folder or a link (itself, not what it points to) to a user and the group of the same number.</summary>
    /// <exception cref="IOException">The owner cannot be changed.</exception>
    public static void GiveTo(string path, int user)
    {
        if (ChangeOwnerOfLink(path, user, user) != 0) throw LastError(path);
    }

    /// <summary>What an open file is.</summary>
    /// <exception cref="IOException">It cannot be asked.</exception>
    public static FileFacts FactsOf(SafeFileHandle file)
    {
        if (StatHandle(file, "", EmptyPath, WantedFields, out var facts) != 0) throw LastError("an open file");
        return new FileFacts(facts.Mode, facts.Links, (long)facts.Size);
    }

    /// <summary>A file that everybody may read, whatever the service's own file mode mask says.</summary>
    public static void WriteReadable(string path, string text)
    {
        File.WriteAllText(path, text);
        File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead | UnixFileMode.OtherRead);
    }

    /// <summary>A folder that everybody may look into, whatever the service's own file mode mask says.</summary>
    public static void MakePassable(string folder)
    {
        Directory.CreateDirectory(folder);
        File.SetUnixFileMode(folder, Passable);
    }

    private static SafeFileHandle Handle(int descriptor, string path) => descriptor >= 0 ? new SafeFileHandle(descriptor, ownsHandle: true) : throw LastError(path);

    private static IOException LastError(string path)
    {
        var error = Marshal.GetLastPInvokeError();
        return new IOException($"{path}: {new Win32Exception(error).Message}", error);
    }

    [LibraryImport("libc", EntryPoint = "open", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Open(string path, int flags, int mode);

    [LibraryImport("libc", EntryPoint = "symlink", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Symlink(string target, string path);

    [LibraryImport("libc", EntryPoint = "fchown", SetLastError = true)]
    private static partial int ChangeOwnerOfHandle(SafeFileHandle file, int user, int group);

    [LibraryImport("libc", EntryPoint = "lchown", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int ChangeOwnerOfLink(string path, int user, int group);

    [LibraryImport("libc", EntryPoint = "statx", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int StatHandle(SafeFileHandle file, string path, int flags, uint mask, out Statx facts);

    /// <summary>The kernel's <c>struct statx</c>, the same on every architecture, as far as it is read; the size is the whole structure's.</summary>
    [StructLayout(LayoutKind.Explicit, Size = 256)]
    private struct Statx
    {
        [FieldOffset(16)]
        public uint Links;

        [FieldOffset(28)]
        public ushort Mode;

        [FieldOffset(40)]
        public ulong Size;
    }
}

/// <summary>What kind of thing a file is.</summary>
/// <param name="Mode">Type and permissions, as in <c>st_mode</c>.</param>
/// <param name="Links">How many names it has.</param>
/// <param name="Size">In bytes.</param>
[StructLayout(LayoutKind.Auto)]
public readonly record struct FileFacts(int Mode, uint Links, long Size)
{
    /// <summary>Whether it is a plain file: no link, folder, pipe, socket or device.</summary>
    public bool IsPlainFile => (Mode & 0xF000) == 0x8000;
}
