using WmfCi.Core;
using WmfCi.Core.Runs;
using WmfCi.Ports;

namespace WmfCi.Service.Effects;

/// <summary>Reads the test reports that an attempt left.</summary>
internal static class ReportReader
{
    /// <summary>How many reports are read; a build that writes one for each of ten thousand classes is read in part, and all of them are kept.</summary>
    public const int MaxReports = 500;

    /// <summary>The test results of all reports together; null where there is none that can be read.</summary>
    public static async Task<TestSummary?> ReadAsync(IArtifactStore store, ValueArray<CollectedFile> files, CancellationToken cancellationToken)
    {
        var summaries = new List<TestSummary>();
        foreach (var file in files.Where(file => file.IsReport).Take(MaxReports))
        {
            await using var content = await store.OpenAsync(file.Blob.Digest, cancellationToken);
            if (content is null) continue;
            if (JUnitReport.Read(content) is JUnitReading.Understood understood) summaries.Add(understood.Summary);
        }
        return summaries.Count == 0 ? null : JUnitReport.Merge(summaries);
    }
}
