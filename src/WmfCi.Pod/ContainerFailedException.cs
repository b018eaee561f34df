namespace WmfCi.Pod;

/// <summary>A trusted container cannot do its work; the message says why in one sentence.</summary>
internal sealed class ContainerFailedException(string message, Exception? cause = null) : Exception(message, cause);
