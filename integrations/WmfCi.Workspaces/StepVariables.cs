using System.Text;
using WmfCi.Core;
using WmfCi.Core.Pipelines;

namespace WmfCi.Workspaces;

/// <summary>The environment variables of steps, the same with every runner.</summary>
public static class StepVariables
{
    /// <summary>A bound on the bytes of one variable, as the kernel sets it for one argument of a program.</summary>
    public const int MaxVariableBytes = 128 * 1024 - 1;

    /// <summary>A bound on the bytes of all of them.</summary>
    public const int MaxBytes = 1 << 20;

    /// <summary>Where programs are. An image that says where its own are goes before.</summary>
    public static Variable Path { get; } = new("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");

    /// <summary>What every step has beside it.</summary>
    public static ValueArray<Variable> Base { get; } = [new("HOME", Accounts.Home), new("USER", Accounts.Name), new("LANG", "C.UTF-8"), new("CI", "true"), new("TMPDIR", "/tmp")];

    /// <summary>What is wrong with the variables of a stage, one sentence; null when they can be set.</summary>
    public static string? Fault(IEnumerable<Variable> variables)
    {
        var total = 0;
        foreach (var variable in variables)
        {
            var bytes = Encoding.UTF8.GetByteCount(variable.Name) + Encoding.UTF8.GetByteCount(variable.Value) + "--env==".Length;
            if (!IsName(variable.Name)) return "The name of an environment variable has other characters than letters, digits and underscores, or begins with a digit.";
            if (variable.Value.Contains('\0')) return $"The environment variable {variable.Name} has a NUL character in its value; leave it out.";
            if (bytes > MaxVariableBytes || (total += bytes) > MaxBytes) return $"The environment variable {variable.Name} is too long: one may have 128 KiB, all together 1 MiB. Put the text into a file.";
        }

        return null;
    }

    private static bool IsName(string name) => name.Length > 0 && !char.IsAsciiDigit(name[0]) && name.All(c => char.IsAsciiLetterOrDigit(c) || c == '_');
}
