using System.Runtime.InteropServices;

namespace WmfCi.ObjectStore;

/// <summary>A renamed file survives a power cut only when its folder is flushed too, and .NET opens no folders.</summary>
internal static partial class DurableFolder
{
    private const int CloseOnExec = 0x80000;

    public static void Flush(string path)
    {
        var descriptor = Open(path, CloseOnExec);
        if (descriptor < 0) throw new IOException($"The folder {path} of the store cannot be opened: {Marshal.GetLastPInvokeErrorMessage()}.");
        var failed = Fsync(descriptor) != 0;
        var reason = failed ? Marshal.GetLastPInvokeErrorMessage() : "";
        _ = Close(descriptor);
        if (failed) throw new IOException($"The folder {path} of the store cannot be made durable: {reason}.");
    }

    [LibraryImport("libc", EntryPoint = "open", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Open(string path, int flags);

    [LibraryImport("libc", EntryPoint = "fsync", SetLastError = true)]
    private static partial int Fsync(int descriptor);

    [LibraryImport("libc", EntryPoint = "close")]
    private static partial int Close(int descriptor);
}
