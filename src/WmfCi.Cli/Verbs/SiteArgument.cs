using System.CommandLine;
using WmfCi.Config.Sites;

namespace WmfCi.Cli.Verbs;

/// <summary>The option that names the site's configuration, and how it is read.</summary>
internal static class SiteArgument
{
    /// <summary>The option.</summary>
    public static Option<FileInfo> Make() => new("--config")
    {
        Description = "The site's configuration (docs/site.md).",
        Required = true,
    };

    /// <summary>Reads it; says on the error output what is wrong with it.</summary>
    /// <returns>Null when it cannot be used.</returns>
    public static Site? Read(FileInfo file)
    {
        if (Directory.Exists(file.FullName))
        {
            Console.Error.WriteLine($"wmfci: {file.FullName} is a folder; --config names a file.");
            return null;
        }
        try
        {
            switch (SiteFile.Read(file.FullName, File.ReadAllText(file.FullName)))
            {
                case SiteReading.Valid valid:
                    return valid.Site;
                case SiteReading.Invalid invalid:
                    foreach (var mistake in invalid.Mistakes) Console.Error.WriteLine(mistake);
                    return null;
                default:
                    throw new InvalidOperationException("A site file came to something unknown.");
            }
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            Console.Error.WriteLine($"wmfci: {error.Message}");
            return null;
        }
    }
}
