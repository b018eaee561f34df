using Microsoft.AspNetCore.Components;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;

namespace WmfCi.Service.Pages;

/// <summary>Makes answers of components.</summary>
internal static class Page
{
    /// <summary>A page with its model.</summary>
    public static IResult Of<T>(object model) where T : IComponent => Of<T>(StatusCodes.Status200OK, new() { ["Model"] = model });

    /// <summary>A page with a status.</summary>
    public static IResult Of<T>(int status, Dictionary<string, object?> parameters) where T : IComponent =>
        new RazorComponentResult<T>(parameters) { StatusCode = status, PreventStreamingRendering = true };
}
