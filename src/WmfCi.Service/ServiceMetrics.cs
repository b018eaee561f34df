using Prometheus;

namespace WmfCi.Service;

/// <summary>What is counted and timed. Names and labels are an interface: dashboards and alerts stand on them.</summary>
public static class ServiceMetrics
{
    /// <summary>Lines of the event stream by type; <c>malformed</c> and <c>too-long</c> are types too.</summary>
    public static readonly Counter StreamLines = Metrics.CreateCounter("wmfci_stream_lines_total", "Lines of the code review's event stream, by type of event.", "type");

    /// <summary>From an effect being decided to being claimed.</summary>
    public static readonly Histogram EffectWait = Metrics.CreateHistogram("wmfci_effect_wait_seconds", "From an effect being wanted to being begun.", ["pool"], Buckets);

    /// <summary>How long carrying out an effect takes.</summary>
    public static readonly Histogram EffectTime = Metrics.CreateHistogram("wmfci_effect_seconds", "How long carrying out an effect takes.", ["effect", "result"], Buckets);

    /// <summary>Runs that ended, by result.</summary>
    public static readonly Counter RunsEnded = Metrics.CreateCounter("wmfci_runs_ended_total", "Runs that ended, by result.", "result");

    /// <summary>From a run being decided to its end.</summary>
    public static readonly Histogram RunTime = Metrics.CreateHistogram("wmfci_run_seconds", "From a run being decided to its end.", ["result"], LongBuckets);

    /// <summary>Stage attempts that ended.</summary>
    public static readonly Counter StagesEnded = Metrics.CreateCounter("wmfci_stages_ended_total", "Attempts at stages that ended, by stage and outcome.", "stage", "outcome");

    /// <summary>From a patch set's upload to the first command of its first stage.</summary>
    public static readonly Histogram PushToFirstCommand = Metrics.CreateHistogram("wmfci_push_to_first_command_seconds", "From the upload of a patch set to the first command of a stage.", [], Buckets);

    /// <summary>Events, effects and set-aside items that wait.</summary>
    public static readonly Gauge Backlog = Metrics.CreateGauge("wmfci_backlog", "What waits: events, effects, and what was set aside.", "what");

    private static HistogramConfiguration Buckets => new() { Buckets = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60] };

    private static HistogramConfiguration LongBuckets => new() { Buckets = [1, 5, 15, 30, 60, 120, 300, 600, 1200, 2400, 3600] };
}
